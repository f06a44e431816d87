//! What users get along with a crate: nothing of a layer above it, however long the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata};

use super::layers::{CLOSURE, names};
use super::violation::Violation;

/// Which crate brings in which, by identifiers of `cargo metadata`.
type Graph = BTreeMap<String, Vec<String>>;

/// Checks the crates that come with the service when it is a dependency: not those of its tests or its build.
pub(super) fn check(metadata: &Metadata, violations: &mut Vec<Violation>) {
    let (root, banned) = CLOSURE;
    let name_of: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (package.id.repr.clone(), package.name.to_string())).collect();
    let Some(start) = name_of.iter().find_map(|(id, name)| (name == root).then_some(id)) else {
        violations.push(Violation::new("Cargo.toml", 1, format!("the workspace has no package {root}")));
        return;
    };
    let manifest = format!("crates/{}/Cargo.toml", root.trim_start_matches("roomwire-"));
    for way in ways(&graph(metadata), start) {
        let way: Vec<_> = way.iter().filter_map(|id| name_of.get(id)).cloned().collect();
        if way.last().is_some_and(|last| banned.iter().any(|words| names(last, words))) {
            violations.push(Violation::new(&manifest, 1, format!("brings in {}", way.join(" > "))));
        }
    }
}

fn graph(metadata: &Metadata) -> Graph {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let normal = |node: &cargo_metadata::Node| {
        let used = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        used.map(|dep| dep.pkg.repr.clone()).collect()
    };
    nodes.map(|node| (node.id.repr.clone(), normal(node))).collect()
}

/// The shortest way to everything that can be reached, the start left out.
fn ways(graph: &Graph, start: &str) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::from([start.to_owned()]);
    let mut queue = VecDeque::from([vec![start.to_owned()]]);
    let mut ways = Vec::new();
    while let Some(way) = queue.pop_front() {
        for next in way.last().and_then(|last| graph.get(last)).into_iter().flatten() {
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push(longer.clone());
                queue.push_back(longer);
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(packages: &[(&str, &[(&str, &str)])]) -> Vec<String> {
        let package = |name: &str| {
            format!(
                r#"{{"name":"{name}","version":"1.0.0","id":"{name}","source":null,"dependencies":[],"targets":[],
                "features":{{}},"manifest_path":"/r/{name}/Cargo.toml","edition":"2024"}}"#
            )
        };
        let dep = |(name, kind): &(&str, &str)| {
            let kind = if *kind == "normal" { "null".to_owned() } else { format!("\"{kind}\"") };
            format!(r#"{{"name":"{name}","pkg":"{name}","dep_kinds":[{{"kind":{kind},"target":null}}]}}"#)
        };
        let node = |(name, deps): &(&str, &[(&str, &str)])| {
            let deps: Vec<_> = deps.iter().map(dep).collect();
            format!(r#"{{"id":"{name}","dependencies":[],"features":[],"deps":[{}]}}"#, deps.join(","))
        };
        let text = format!(
            r#"{{"packages":[{}],"workspace_members":[],"resolve":{{"nodes":[{}],"root":null}},
            "workspace_root":"/r","target_directory":"/r/target","version":1,"metadata":null}}"#,
            packages.iter().map(|(name, _)| package(name)).collect::<Vec<_>>().join(","),
            packages.iter().map(node).collect::<Vec<_>>().join(","),
        );
        let metadata = cargo_metadata::MetadataCommand::parse(text).expect("it is what cargo writes");
        let mut violations = Vec::new();
        check(&metadata, &mut violations);
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_banned_crate_is_found_however_far_away() {
        let found = checked(&[
            ("roomwire-service", &[("metrics", "normal")]),
            ("metrics", &[("exporter", "normal")]),
            ("exporter", &[("hyper-util", "normal")]),
            ("hyper-util", &[]),
        ]);
        assert_eq!(
            found,
            ["crates/service/Cargo.toml:1: brings in roomwire-service > metrics > exporter > hyper-util"]
        );
    }

    #[test]
    fn what_only_tests_and_builds_use_does_not_come_along() {
        let found = checked(&[
            ("roomwire-service", &[("tokio", "normal"), ("redis", "dev"), ("axum", "build")]),
            ("tokio", &[]),
            ("redis", &[]),
            ("axum", &[]),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_workspace_without_the_service_is_refused() {
        assert_eq!(checked(&[("tokio", &[])]), ["Cargo.toml:1: the workspace has no package roomwire-service"]);
    }
}
