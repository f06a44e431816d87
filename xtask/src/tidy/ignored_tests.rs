//! A test that is not run says why.

use proc_macro2::TokenTree;

use super::SourceFile;
use super::rust_tokens::{attribute, inside, is_punct, line, word};
use super::violation::Violation;

pub(super) fn check(file: &SourceFile, tokens: &[TokenTree], violations: &mut Vec<Violation>) {
    for at in 0..tokens.len() {
        if attribute(tokens, at).is_some_and(|attribute| ignores_without_reason(&attribute)) {
            let text = "`#[ignore]` without a reason: write `#[ignore = \"why\"]`";
            violations.push(Violation::new(&file.path, line(tokens, at), text));
        }
        if let TokenTree::Group(group) = &tokens[at] {
            check(file, &inside(group), violations);
        }
    }
}

fn ignores_without_reason(attribute: &[TokenTree]) -> bool {
    match (word(attribute, 0).as_deref(), attribute.get(1)) {
        (Some("ignore"), _) => has_no_reason(attribute, 0),
        (Some("cfg_attr"), Some(TokenTree::Group(group))) => {
            let tokens = inside(group);
            // The first part is the condition.
            (2..tokens.len()).any(|at| {
                is_punct(&tokens, at - 1, ',')
                    && word(&tokens, at).as_deref() == Some("ignore")
                    && has_no_reason(&tokens, at)
            })
        }
        _ => false,
    }
}

fn has_no_reason(tokens: &[TokenTree], at: usize) -> bool {
    match tokens.get(at + 2) {
        Some(TokenTree::Literal(reason)) if is_punct(tokens, at + 1, '=') => reason.to_string() == "\"\"",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rust_tokens::read;
    use super::super::violation::found;
    use super::*;

    fn checked(text: &str) -> Vec<String> {
        let tokens = read(text).expect("it is Rust");
        found("tests/rooms.rs", text, |file, violations| check(file, &tokens, violations))
    }

    #[test]
    fn an_ignored_test_without_reason_is_refused() {
        let text = "mod tests {\n    #[test]\n    #[ignore]\n    fn slow() {}\n}\n";
        assert_eq!(checked(text), ["tests/rooms.rs:3: `#[ignore]` without a reason: write `#[ignore = \"why\"]`"]);
        assert_eq!(checked("#[ignore = \"\"] fn a() {}").len(), 1);
        assert_eq!(checked("#[cfg_attr(miri, ignore)] fn a() {}").len(), 1);
    }

    #[test]
    fn a_reason_lets_it_pass() {
        assert!(checked("#[ignore = \"takes an hour\"] fn a() {}").is_empty());
        assert!(checked("#[cfg_attr(miri, ignore = \"no sockets\")] fn a() {}").is_empty());
        assert!(checked("fn ignore() { let ignore = [1]; }").is_empty());
    }
}
