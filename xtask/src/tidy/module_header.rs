//! Every module begins by saying what it is.

use super::SourceFile;
use super::violation::Violation;

pub(super) fn check(file: &SourceFile, violations: &mut Vec<Violation>) {
    let first = file.text.lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_none_or(|said| said.trim().is_empty()) {
        violations.push(Violation::new(&file.path, 1, "the first line is no `//!` line that says what this is"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::violation::found;
    use super::*;

    #[test]
    fn a_module_without_a_header_is_refused() {
        for text in ["", "use std::fmt;\n", "// Rooms.\n", "//!\n", "\n//! Rooms.\n"] {
            assert_eq!(found("src/room.rs", text, check).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_module_with_a_header_passes() {
        assert!(found("src/room.rs", "//! Rooms.\n\nuse std::fmt;\n", check).is_empty());
    }
}
