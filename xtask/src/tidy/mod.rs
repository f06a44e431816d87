//! The rules of this repository that no compiler knows.

mod dependency_closure;
mod file_names;
mod file_size;
mod ignored_tests;
mod layering;
mod layers;
mod machine_paths;
mod manifest;
mod module_circles;
mod module_header;
mod rust_tokens;
mod sorted_tables;
mod sources;
mod violation;

use crate::session::Session;

use self::manifest::Manifest;
use self::sources::SourceFile;
pub(crate) use self::violation::Violation;

/// What a check looked at and found.
#[derive(Debug)]
pub(crate) struct Checked {
    files: usize,
    pub(crate) violations: Vec<Violation>,
}

impl Checked {
    /// One line that says how much was looked at and how much was found.
    pub(crate) fn summary(&self) -> String {
        match self.violations.len() {
            0 => format!("tidy: {} files, no violation", self.files),
            1 => format!("tidy: {} files, 1 violation", self.files),
            many => format!("tidy: {} files, {many} violations", self.files),
        }
    }
}

/// Applies every rule to every file of the workspace that git knows or would add.
pub(crate) fn check(session: &Session) -> anyhow::Result<Checked> {
    let files = sources::read(session)?;
    let mut violations = Vec::new();
    for file in &files {
        check_file(file, &mut violations);
    }
    layering::every_crate_has_a_layer(&files, &mut violations);
    module_circles::check(&files, &mut violations);
    match session.metadata() {
        Ok(metadata) => dependency_closure::check(&metadata, &mut violations),
        Err(error) => violations.push(Violation::new("Cargo.toml", 1, format!("{error:#}"))),
    }
    violations.sort();
    violations.dedup();
    Ok(Checked { files: files.len(), violations })
}

fn check_file(file: &SourceFile, violations: &mut Vec<Violation>) {
    file_names::check(file, violations);
    machine_paths::check(file, violations);
    file_size::check(file, violations);
    if file.has_extension("rs") {
        module_header::check(file, violations);
        match rust_tokens::read(&file.text) {
            Ok(tokens) => {
                ignored_tests::check(file, &tokens, violations);
                file_names::check_modules(file, &tokens, violations);
            }
            Err(error) => violations.push(Violation::new(&file.path, error.line, error.text)),
        }
    }
    if file.name() == "Cargo.toml" {
        match Manifest::parse(&file.text) {
            Ok(manifest) => {
                sorted_tables::check(file, &manifest, violations);
                layering::check_manifest(file, &manifest, violations);
            }
            Err(error) => violations.push(Violation::new(&file.path, error.line, error.text)),
        }
    }
}
