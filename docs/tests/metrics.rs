//! docs/metrics.md lists the metrics of the code, and no others.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use roomwire_core::Metric;

const PAGE: &str = include_str!("../metrics.md");

/// The crates that record metrics, with their tables.
const CRATES: [(&str, &[Metric]); 5] = [
    ("axum-adapter", roomwire_axum_adapter::METRICS),
    ("socketio", roomwire_socketio::METRICS),
    ("service", roomwire_service::METRICS),
    ("state-redis", roomwire_state_redis::METRICS),
    ("auth-jwt", roomwire_auth_jwt::METRICS),
];

fn all() -> impl Iterator<Item = &'static Metric> {
    CRATES.into_iter().flat_map(|(_, metrics)| metrics)
}

/// The beginning of a metric's row.
fn row(metric: &Metric) -> String {
    let label = metric.label.map_or("-".to_owned(), |(name, values)| {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{name}`: {}", values.join(", "))
    });
    format!("| `{}` | {} | {label} | {}", metric.name, metric.kind.as_str(), metric.help)
}

#[test]
fn each_crates_metrics_are_listed_in_order_with_type_labels_and_meaning() {
    for (folder, metrics) in CRATES {
        let section = PAGE.split(&format!("\n## `roomwire-{folder}`\n")).nth(1).expect(folder);
        let section = section.split("\n## ").next().expect("a section");
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        for (metric, shown) in metrics.iter().zip(&rows) {
            assert!(shown.starts_with(&row(metric)), "\n{shown}\nshould begin with\n{}", row(metric));
            let cells: Vec<_> = shown.trim_matches('|').split(" | ").collect();
            assert!(cells.len() == 5 && cells[4].trim().ends_with('.'), "what to do about {}", metric.name);
        }
        assert_eq!(rows.len(), metrics.len(), "{folder}");
    }
}

#[test]
fn names_follow_the_conventions_and_are_used_once() {
    let mut seen = BTreeSet::new();
    for metric in all() {
        let Metric { name, help, unit, .. } = *metric;
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.starts_with("roomwire_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(metric.kind.as_str() == "counter", name.ends_with("_total"), "{name}");
        assert_eq!(unit.is_some(), name.ends_with("_seconds"), "{name}");
        assert!(help.ends_with('.') && !help.contains('|'), "{name}: {help}");
    }
}

#[test]
fn no_page_names_a_metric_that_does_not_exist() {
    let known: BTreeSet<_> = all().map(|metric| metric.name).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    pages.extend(files(&root.join("docs"), "md"));
    for page in pages {
        let text = fs::read_to_string(&page).expect("reads");
        for name in names(&text).filter(|name| name.ends_with("_total") || name.ends_with("_seconds")) {
            assert!(known.contains(name), "{name} in {}", page.display());
        }
    }
}

#[test]
fn every_metric_of_a_table_is_recorded_and_nothing_else_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    for folder in fs::read_dir(&root).expect("reads") {
        let folder = folder.expect("reads").path();
        let sources: Vec<_> =
            files(&folder.join("src"), "rs").into_iter().map(|file| fs::read_to_string(file).expect("reads")).collect();
        let code = sources.concat();
        for line in code.lines().filter(|line| line.contains(" = Metric::")) {
            let constant = line.split(" = ").next().expect("a constant").trim();
            if constant.starts_with(char::is_uppercase) {
                let uses = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| *word == constant);
                assert!(uses.count() > 1, "{constant} of {} is never recorded", folder.display());
            }
        }
        for macro_name in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            assert!(!code.contains(macro_name), "{} records a metric that is in no table", folder.display());
        }
    }
}

/// The metrics named in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_lowercase() && c != '_').filter(|word| word.starts_with("roomwire_"))
}

/// The files below a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("reads") {
        let path = entry.expect("reads").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found
}
