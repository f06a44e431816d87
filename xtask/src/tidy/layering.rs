//! No crate names what its layer must not know, neither in its manifest nor in its sources.

use proc_macro2::TokenTree;

use super::SourceFile;
use super::layers::{Ban, CONTRACT_TESTS, Except, LAYERS, Layer, layer_of, names};
use super::manifest::{Dependency, Manifest, Purpose};
use super::named_crates::named_crates;
use super::violation::Violation;

/// Checks the crates that a Rust file names.
pub(super) fn check_source(file: &SourceFile, tokens: &[TokenTree], violations: &mut Vec<Violation>) {
    let Some((layer, inside)) = layer_of(&file.path) else { return };
    for named in named_crates(tokens) {
        for ban in layer.bans.iter().filter(|ban| names(&named.name, ban.words)) {
            let excepted = match ban.except {
                Except::Nowhere => false,
                Except::Tests => named.in_test || is_test_file(inside),
                Except::ContractTests => inside.starts_with("src/contract_tests"),
            };
            if !excepted {
                violations.push(Violation::new(&file.path, named.line, reason(layer, ban, &named.name)));
            }
        }
    }
}

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

fn is_test_file(inside: &str) -> bool {
    let mut parts = inside.split('/');
    let file = parts.next_back().unwrap_or_default();
    let is_test_folder = |part: &str| matches!(part, "benches" | "examples" | "tests");
    parts.any(is_test_folder) || file == "tests.rs" || file.ends_with("_tests.rs")
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
    use super::super::rust_tokens::read;
    use super::super::violation::found;
    use super::*;

    fn source(path: &str, text: &str) -> Vec<String> {
        let tokens = read(text).expect("it is Rust");
        found(path, text, |file, violations| check_source(file, &tokens, violations))
    }

    fn manifest(path: &str, text: &str) -> Vec<String> {
        let manifest = Manifest::parse(text).expect("it is TOML");
        found(path, text, |file, violations| check_manifest(file, &manifest, violations))
    }

    #[test]
    fn a_banned_crate_in_a_source_is_refused() {
        assert_eq!(
            source("crates/service/src/gateway.rs", "//! Gateway.\nuse axum::Router;\n"),
            ["crates/service/src/gateway.rs:2: `service` must not name `axum` (layering, ARCHITECTURE.md)"]
        );
        for (path, text) in [
            ("crates/core/src/room.rs", "fn a() { tokio::spawn(b) }"),
            ("crates/core/src/room.rs", "use tower_service::Service;"),
            ("crates/state-memory/src/lib.rs", "use socketioxide::SocketIo;"),
            ("crates/state-redis/src/lib.rs", "use roomwire_service::WebSocketService;"),
            ("crates/axum-adapter/src/lib.rs", "use deadpool_redis::Pool;"),
            ("crates/service/src/lib.rs", "use roomwire_state_memory::MemoryState;"),
        ] {
            assert_eq!(source(path, text).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn the_exceptions_are_no_wider_than_they_say() {
        assert!(source("crates/core/src/contract_tests/store.rs", "use tokio::time;").is_empty());
        assert_eq!(source("crates/core/tests/names.rs", "use tokio::time;").len(), 1);
        let backend = "use roomwire_state_memory::MemoryState;";
        assert!(source("crates/service/tests/rooms.rs", backend).is_empty());
        let inline = format!("#[cfg(test)] mod tests {{ {backend} }}");
        assert!(source("crates/service/src/room.rs", &inline).is_empty());
        assert_eq!(source("crates/service/tests/rooms.rs", "use axum::Router;").len(), 1);
    }

    #[test]
    fn the_layer_that_may_name_a_crate_does() {
        assert!(source("crates/axum-adapter/src/layer.rs", "use axum::Router; use socketioxide::SocketIo;").is_empty());
        assert!(source("crates/service/src/gateway.rs", "use tower::Service; use tokio::sync::mpsc;").is_empty());
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
