//! Rust as tokens, where comments and strings are out of the way.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::violation::Unreadable;

/// Reads a file. Text that the language cannot be made of is an error.
pub(super) fn read(text: &str) -> Result<Vec<TokenTree>, Unreadable> {
    TokenStream::from_str(text)
        .map(|tokens| tokens.into_iter().collect())
        .map_err(|error| Unreadable { line: error.span().start().line, text: "cannot be read as Rust".into() })
}

/// The tokens inside of brackets.
pub(super) fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// The name at this place, without the `r#` of a raw one.
pub(super) fn word(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at)? {
        TokenTree::Ident(ident) => {
            let name = ident.to_string();
            Some(name.strip_prefix("r#").unwrap_or(&name).to_owned())
        }
        _ => None,
    }
}

/// Whether this place holds the character.
pub(super) fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The inside of the attribute whose brackets are at this place, of an item or of the module.
pub(super) fn attribute(tokens: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    let before = |back| at.checked_sub(back);
    let outer = before(1).is_some_and(|hash| is_punct(tokens, hash, '#'));
    let inner = before(1).is_some_and(|bang| is_punct(tokens, bang, '!'))
        && before(2).is_some_and(|hash| is_punct(tokens, hash, '#'));
    match tokens.get(at)? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && (outer || inner) => Some(inside(group)),
        _ => None,
    }
}

/// The line of the token at this place.
pub(super) fn line(tokens: &[TokenTree], at: usize) -> usize {
    tokens.get(at).map_or(1, |token| token.span().start().line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_hold_no_words() {
        let tokens = read("// tokio\nconst A: &str = r#\"tokio::spawn\"#; /* tokio */").expect("it is Rust");
        assert!((0..tokens.len()).all(|at| word(&tokens, at).as_deref() != Some("tokio")));
    }

    #[test]
    fn what_is_no_rust_is_said_with_its_line() {
        let error = read("fn a() {}\nfn b() {").expect_err("a bracket is missing");
        assert_eq!(error.text, "cannot be read as Rust");
    }

    #[test]
    fn attributes_are_told_from_arrays() {
        let tokens = read("#[test] #![allow(x)] [1, 2]").expect("it is Rust");
        let attributes = (0..tokens.len()).filter(|at| attribute(&tokens, *at).is_some()).count();
        assert_eq!(attributes, 2);
    }
}
