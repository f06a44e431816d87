//! The crates that a Rust file names: heads of paths, and what `use` and `extern crate` bring in.

use proc_macro2::{Delimiter, TokenTree};

use super::rust_tokens::{attribute, inside, is_path_separator, is_punct, line, word};

/// A name at the head of a path. It may be a crate's or a module's; a ban knows which it means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) line: usize,
    /// Whether it stands in code that only tests are compiled with.
    pub(super) in_test: bool,
}

/// All names at the heads of paths, in order.
pub(super) fn named_crates(tokens: &[TokenTree]) -> Vec<Named> {
    let mut named = Vec::new();
    collect(tokens, false, &mut named);
    named.dedup();
    named
}

fn collect(tokens: &[TokenTree], in_test: bool, named: &mut Vec<Named>) {
    // Set by `#[cfg(test)]` until the item it belongs to ends.
    let mut test_item = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(_) if is_after_path(tokens, at) => {
                // The braces of `use a::{b, c}`: their names are inside of `a`.
            }
            TokenTree::Group(group) => {
                test_item |= attribute(tokens, at).is_some_and(|attribute| is_cfg_test(&attribute));
                collect(&inside(group), in_test || test_item, named);
                if group.delimiter() == Delimiter::Brace {
                    test_item = false;
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => test_item = false,
            TokenTree::Ident(_) => {
                let mut add = |at| named.extend(named_at(tokens, at, in_test || test_item));
                if is_path_separator(tokens, at + 1) && is_path_part(tokens, at) && !is_after_path(tokens, at) {
                    add(at);
                }
                match word(tokens, at).as_deref() {
                    Some("use") => roots(&tokens[at + 1..], in_test || test_item, named),
                    Some("crate") if at > 0 && word(tokens, at - 1).as_deref() == Some("extern") => add(at + 1),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// The first names of a `use`, also those which are not followed by a path.
fn roots(tokens: &[TokenTree], in_test: bool, named: &mut Vec<Named>) {
    let start = if is_path_separator(tokens, 0) { 2 } else { 0 };
    match tokens.get(start) {
        Some(TokenTree::Ident(_)) => named.extend(named_at(tokens, start, in_test)),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let tokens = inside(group);
            let is_comma = |at: usize| is_punct(&tokens, at, ',');
            let starts = (0..tokens.len()).filter(|at| *at == 0 || is_comma(at - 1));
            starts.for_each(|start| roots(&tokens[start..], in_test, named));
        }
        _ => {}
    }
}

fn named_at(tokens: &[TokenTree], at: usize, in_test: bool) -> Option<Named> {
    Some(Named { name: word(tokens, at)?, line: line(tokens, at), in_test })
}

/// Whether a path leads here: `a::` or `<A>::`, but not the `::` with which a path from the top begins.
fn is_after_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 3 && is_path_separator(tokens, at - 2) && (is_punct(tokens, at - 3, '>') || is_path_part(tokens, at - 3))
}

/// Whether a name stands here that a path can hold, `crate` and `self` included.
fn is_path_part(tokens: &[TokenTree], at: usize) -> bool {
    const NO_PART: [&str; 13] =
        ["as", "const", "dyn", "for", "impl", "in", "move", "mut", "pub", "return", "static", "use", "where"];
    word(tokens, at).is_some_and(|word| !NO_PART.contains(&word.as_str()))
}

fn is_cfg_test(attribute: &[TokenTree]) -> bool {
    match (word(attribute, 0).as_deref(), attribute.get(1)) {
        (Some("cfg"), Some(TokenTree::Group(condition))) => {
            let condition = inside(condition);
            word(&condition, 0).as_deref() == Some("test") && condition.len() == 1
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rust_tokens::read;
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<_> =
            named_crates(&read(text).expect("it is Rust")).into_iter().map(|named| named.name).collect();
        names.dedup();
        names
    }

    #[test]
    fn heads_of_paths_are_found_wherever_they_stand() {
        assert_eq!(names("fn a() { tokio::spawn(b); }"), ["tokio"]);
        assert_eq!(names("#[tokio::test] async fn a() {}"), ["tokio"]);
        assert_eq!(names("fn a(b: ::axum::Router) {}"), ["axum"]);
        assert_eq!(names("fn a() { join!(async { redis::cmd(b) }) }"), ["redis"]);
        assert_eq!(names("impl A for <B as hyper::C>::D {}"), ["hyper"]);
    }

    #[test]
    fn what_is_brought_in_is_found() {
        assert_eq!(names("use tokio;"), ["tokio"]);
        assert_eq!(names("use ::tokio as t;"), ["tokio"]);
        assert_eq!(names("use {axum, tower::Layer};"), ["axum", "tower"]);
        assert_eq!(names("pub(crate) use r#redis::Client;"), ["redis"]);
        assert_eq!(names("extern crate tokio as t;"), ["tokio"]);
    }

    #[test]
    fn names_inside_of_a_path_are_its_own() {
        assert_eq!(names("use crate::{redis, tower::Layer};"), ["crate"]);
        assert_eq!(names("fn a() { super::redis::connect() }"), ["super"]);
        assert_eq!(names("fn a() { B::<C>::tokio::d() }"), ["B"]);
    }

    #[test]
    fn comments_strings_and_fields_name_no_crate() {
        assert!(names("//! Like tokio::spawn.\n/// And axum::Router.\nconst A: &str = \"redis::x\";").is_empty());
        assert!(names("struct A { redis: B, tower: C } fn d(a: A) { a.redis }").is_empty());
    }

    #[test]
    fn code_for_tests_is_told_apart() {
        let text = "use a::B;\n#[cfg(test)]\nmod tests {\n use c::D;\n}\n#[cfg(test)]\nuse e::F;\nuse g::H;\n";
        let named = named_crates(&read(text).expect("it is Rust"));
        let tests: Vec<_> = named.iter().map(|named| (named.name.as_str(), named.line, named.in_test)).collect();
        assert_eq!(tests, [("a", 1, false), ("c", 4, true), ("e", 7, true), ("g", 8, false)]);
    }
}
