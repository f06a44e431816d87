//! Names that could be given to anything say nothing about what is inside.

use proc_macro2::TokenTree;

use super::SourceFile;
use super::rust_tokens::{inside, line, word};
use super::violation::Violation;

const REFUSED: [&str; 6] = ["helper", "helpers", "manager", "managers", "util", "utils"];

/// The names of the file and of the folders it lies in.
pub(super) fn check(file: &SourceFile, violations: &mut Vec<Violation>) {
    for part in file.path.split('/') {
        if let Some(refused) = refused(part) {
            violations.push(Violation::new(&file.path, 1, reason(refused)));
        }
    }
}

/// The names of the modules written inside of a file.
pub(super) fn check_modules(file: &SourceFile, tokens: &[TokenTree], violations: &mut Vec<Violation>) {
    for at in 0..tokens.len() {
        if word(tokens, at).as_deref() == Some("mod") {
            let name = word(tokens, at + 1).unwrap_or_default();
            if let Some(refused) = refused(&name) {
                violations.push(Violation::new(&file.path, line(tokens, at), reason(refused)));
            }
        }
        if let TokenTree::Group(group) = &tokens[at] {
            check_modules(file, &inside(group), violations);
        }
    }
}

fn refused(name: &str) -> Option<&'static str> {
    name.split(['_', '-', '.']).find_map(|word| REFUSED.into_iter().find(|refused| *refused == word.to_lowercase()))
}

fn reason(refused: &str) -> String {
    format!("a name with `{refused}` in it: name the noun or the use case instead")
}

#[cfg(test)]
mod tests {
    use super::super::rust_tokens::read;
    use super::super::violation::found;
    use super::*;

    #[test]
    fn names_for_anything_are_refused() {
        for path in ["src/utils.rs", "src/room_manager.rs", "e2e/js/helpers.mjs", "src/util/clock.rs"] {
            assert_eq!(found(path, "", check).len(), 1, "{path}");
        }
        let text = "//! Rooms.\nmod inner {\n    mod helpers {}\n}\n";
        let tokens = read(text).expect("it is Rust");
        assert_eq!(
            found("src/room.rs", text, |file, violations| check_modules(file, &tokens, violations)),
            ["src/room.rs:3: a name with `helpers` in it: name the noun or the use case instead"]
        );
    }

    #[test]
    fn names_of_something_pass() {
        assert!(found("src/utility_room.rs", "", check).is_empty());
        let text = "use tokio_util::sync; mod room {}";
        let tokens = read(text).expect("it is Rust");
        assert!(found("src/lib.rs", text, |file, violations| check_modules(file, &tokens, violations)).is_empty());
    }
}
