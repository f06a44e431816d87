//! No crate depends on what its layer must not know. Its sources cannot name what its manifest does not.

use super::SourceFile;
use super::layers::{Ban, CONTRACT_TESTS, Except, LAYERS, Layer, layer_of, names};
use super::manifest::{Dependency, Manifest, Purpose};
use super::violation::Violation;

/// Checks what a manifest depends on.
pub(super) fn check_manifest(file: &SourceFile, manifest: &Manifest, violations: &mut Vec<Violation>) {
    let Some((layer, "Cargo.toml")) = layer_of(&file.path) else { return };
    for dependency in &manifest.dependencies {
        for ban in layer.bans.iter().filter(|ban| names(&dependency.package, ban.words)) {
            let excepted = match ban.except {
                Except::Nowhere => false,
                Except::Tests => dependency.purpose == Purpose::Development,
                Except::ContractTests => is_for_contract_tests(dependency, manifest),
            };
            if !excepted {
                violations.push(Violation::new(&file.path, dependency.line, reason(layer, ban, &dependency.package)));
            }
        }
    }
}

/// Checks that no crate was added without saying what it must not know.
pub(super) fn every_crate_has_a_layer(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for file in files {
        let folder = file.path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/Cargo.toml"));
        if let Some(folder) = folder
            && !LAYERS.iter().any(|layer| layer.folder == folder)
        {
            let text = format!("`{folder}` is not in the layering table (xtask/src/tidy/layers.rs)");
            violations.push(Violation::new(&file.path, 1, text));
        }
    }
}

/// Whether a dependency comes only with the contract tests, which users do not compile.
fn is_for_contract_tests(dependency: &Dependency, manifest: &Manifest) -> bool {
    let turned_on_by = |item: &String| {
        let item = item.strip_prefix("dep:").unwrap_or(item);
        item.split(['/', '?']).next() == Some(dependency.key.as_str())
    };
    dependency.optional
        && dependency.purpose == Purpose::Normal
        && manifest.features.iter().all(|feature| {
            let is_default = feature.name.name == "default";
            let is_its_own = feature.name.name == CONTRACT_TESTS;
            (is_its_own || !feature.enables.iter().any(turned_on_by))
                && !(is_default && feature.enables.iter().any(|item| item == CONTRACT_TESTS))
        })
}

fn reason(layer: &Layer, ban: &Ban, name: &str) -> String {
    let except = match ban.except {
        Except::Nowhere => "",
        Except::Tests => " outside of tests",
        Except::ContractTests => " outside of the contract tests and their feature",
    };
    format!("`{}` must not name `{name}`{except} (layering, ARCHITECTURE.md)", layer.folder)
}

#[cfg(test)]
mod tests {
    use super::super::violation::found;
    use super::*;

    fn manifest(path: &str, text: &str) -> Vec<String> {
        let manifest = Manifest::parse(text).expect("it is TOML");
        found(path, text, |file, violations| check_manifest(file, &manifest, violations))
    }

    #[test]
    fn a_banned_dependency_is_refused_for_every_purpose() {
        assert_eq!(
            manifest("crates/core/Cargo.toml", "[dependencies]\nserde = \"1\"\naxum.workspace = true\n"),
            ["crates/core/Cargo.toml:3: `core` must not name `axum` (layering, ARCHITECTURE.md)"]
        );
        assert_eq!(manifest("crates/core/Cargo.toml", "[dev-dependencies]\ntower = \"0.5\"\n").len(), 1);
        assert_eq!(manifest("crates/service/Cargo.toml", "[build-dependencies]\nhyper = \"1\"\n").len(), 1);
        let renamed = "[dependencies]\nstore = { package = \"redis\", version = \"1\" }\n";
        assert_eq!(manifest("crates/state-memory/Cargo.toml", renamed).len(), 1);
    }

    #[test]
    fn a_backend_may_serve_the_tests_of_the_service_only() {
        let backend = "roomwire-state-memory.workspace = true\n";
        let path = "crates/service/Cargo.toml";
        assert!(manifest(path, &format!("[dev-dependencies]\n{backend}")).is_empty());
        assert_eq!(manifest(path, &format!("[dependencies]\n{backend}")).len(), 1);
    }

    #[test]
    fn tokio_comes_to_core_only_with_the_contract_tests() {
        let path = "crates/core/Cargo.toml";
        let optional = "[dependencies]\ntokio = { version = \"1\", optional = true }\n[features]\n";
        assert!(manifest(path, &format!("{optional}contract-tests = [\"dep:tokio\"]\n")).is_empty());
        assert_eq!(manifest(path, &format!("{optional}clock = [\"dep:tokio\"]\n")).len(), 1);
        let by_default = format!("{optional}contract-tests = [\"dep:tokio\"]\ndefault = [\"contract-tests\"]\n");
        assert_eq!(manifest(path, &by_default).len(), 1);
        assert_eq!(manifest(path, "[dependencies]\ntokio = \"1\"\n").len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_in_the_table_is_refused() {
        let mut violations = Vec::new();
        let files = ["crates/core/Cargo.toml", "crates/state-sql/Cargo.toml", "xtask/Cargo.toml"];
        every_crate_has_a_layer(&files.map(|path| SourceFile::new(path, "")), &mut violations);
        let shown: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["crates/state-sql/Cargo.toml:1: `state-sql` is not in the layering table (xtask/src/tidy/layers.rs)"]
        );
    }
}
