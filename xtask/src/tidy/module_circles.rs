//! No two modules of a crate use each other, directly or by way of others.
//!
//! A module is a file or folder in `src`, with all files below it. What it uses are the paths that begin with `crate::`,
//! without those of its unit tests. Names that the crate's root exports count as the module that they come from.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenTree;

use super::SourceFile;
use super::rust_tokens::{self, attribute, inside, is_punct, line, word};
use super::violation::Violation;

/// The folders, in `crates`, of the crates without circles.
const CRATES: [&str; 6] = ["auth-jwt", "axum-adapter", "http-api", "service", "socketio", "state-redis"];

/// The lines of files in which one module uses another.
type Uses<'a> = BTreeMap<(String, String), Vec<(&'a str, usize)>>;

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for folder in CRATES {
        let source = format!("crates/{folder}/src/");
        let sources = files.iter().filter_map(|file| {
            let inside = file.path.strip_prefix(&source).filter(|_| file.has_extension("rs"))?;
            // Files that cannot be read as Rust are refused elsewhere.
            Some((inside.split(['/', '.']).next()?, file, rust_tokens::read(&file.text).ok()?))
        });
        check_crate(&sources.collect::<Vec<_>>(), violations);
    }
}

fn check_crate(sources: &[(&str, &SourceFile, Vec<TokenTree>)], violations: &mut Vec<Violation>) {
    let modules: BTreeSet<&str> = sources.iter().map(|(module, ..)| *module).collect();
    let root = sources.iter().find(|(module, ..)| *module == "lib");
    let exports = root.map(|(.., tokens)| exports(tokens, &modules)).unwrap_or_default();
    let mut uses = Uses::new();
    for (module, file, tokens) in sources.iter().filter(|(module, ..)| *module != "lib") {
        let mut found = Vec::new();
        crate_paths(tokens, &mut found);
        for (name, line) in found {
            let used = if modules.contains(&*name) { Some(&name) } else { exports.get(&name) };
            if let Some(used) = used.filter(|used| used != module) {
                uses.entry(((*module).to_owned(), used.clone())).or_default().push((&file.path, line));
            }
        }
    }
    for ((from, to), places) in &uses {
        if reaches(&uses, to, from) {
            let text = format!("`{from}` uses `{to}`, which uses `{from}`: no circles of modules");
            violations.extend(places.iter().map(|(path, line)| Violation::new(path, *line, text.as_str())));
        }
    }
}

/// Whether a module uses another, directly or by way of others.
fn reaches(uses: &Uses<'_>, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
    while let Some(module) = next.pop() {
        for (_, used) in uses.keys().filter(|(user, _)| user == module) {
            if used == to {
                return true;
            }
            if seen.insert(used) {
                next.push(used);
            }
        }
    }
    false
}

/// The names that the root takes from its modules, each with the module.
fn exports(tokens: &[TokenTree], modules: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for at in 0..tokens.len() {
        if word(tokens, at).as_deref() != Some("use") {
            continue;
        }
        let first = if word(tokens, at + 1).as_deref() == Some("crate") { at + 4 } else { at + 1 };
        let Some(module) = word(tokens, first).filter(|name| modules.contains(&**name)) else { continue };
        let path =
            tokens[first..].iter().take_while(|token| !matches!(token, TokenTree::Punct(end) if end.as_char() == ';'));
        let mut names = Vec::new();
        words(&path.cloned().collect::<Vec<_>>(), &mut names);
        exports.extend(names.into_iter().map(|name| (name, module.clone())));
    }
    exports
}

fn words(tokens: &[TokenTree], names: &mut Vec<String>) {
    for at in 0..tokens.len() {
        names.extend(word(tokens, at));
        if let TokenTree::Group(group) = &tokens[at] {
            words(&inside(group), names);
        }
    }
}

/// The names that follow `crate::`, with their lines.
fn crate_paths(tokens: &[TokenTree], found: &mut Vec<(String, usize)>) {
    let mut at = 0;
    while at < tokens.len() {
        if attribute(tokens, at).is_some_and(|attribute| is_for_tests(&attribute)) {
            at = item_end(tokens, at + 1);
            continue;
        }
        if word(tokens, at).as_deref() == Some("crate") && is_punct(tokens, at + 1, ':') {
            match tokens.get(at + 3) {
                Some(TokenTree::Group(group)) => first_words(&inside(group), found),
                _ => found.extend(word(tokens, at + 3).map(|name| (name, line(tokens, at + 3)))),
            }
        }
        if let TokenTree::Group(group) = &tokens[at] {
            crate_paths(&inside(group), found);
        }
        at += 1;
    }
}

/// The names with which the paths in the braces of a `use` begin.
fn first_words(tokens: &[TokenTree], found: &mut Vec<(String, usize)>) {
    for at in 0..tokens.len() {
        if at == 0 || is_punct(tokens, at - 1, ',') {
            found.extend(word(tokens, at).map(|name| (name, line(tokens, at))));
        }
    }
}

fn is_for_tests(attribute: &[TokenTree]) -> bool {
    let condition = match attribute.get(1) {
        Some(TokenTree::Group(group)) if word(attribute, 0).as_deref() == Some("cfg") => inside(group),
        _ => return false,
    };
    condition.len() == 1 && word(&condition, 0).as_deref() == Some("test")
}

/// The place after the item that begins here: after its braces or its semicolon.
fn item_end(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    tokens[from..].iter().position(ends).map_or(tokens.len(), |end| from + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(sources: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            sources.iter().map(|(path, text)| SourceFile::new(format!("crates/service/src/{path}"), *text)).collect();
        let mut violations = Vec::new();
        check(&files, &mut violations);
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_modules_that_use_each_other_are_refused() {
        let found = circles(&[("a.rs", "//! A.\nuse crate::b::B;"), ("b/mod.rs", "fn f() { crate::a::g() }")]);
        let text = "no circles of modules";
        assert_eq!(
            found,
            [
                format!("crates/service/src/a.rs:2: `a` uses `b`, which uses `a`: {text}"),
                format!("crates/service/src/b/mod.rs:1: `b` uses `a`, which uses `b`: {text}")
            ]
        );
    }

    #[test]
    fn a_circle_of_three_and_by_a_name_of_the_root_is_refused() {
        let root = "pub use a::{A, inner::Other};";
        let sources = [
            ("lib.rs", root),
            ("a/mod.rs", "use crate::{b::B};"),
            ("b.rs", "use crate::{x, c};"),
            ("c.rs", "use crate::Other;"),
        ];
        assert_eq!(circles(&sources).len(), 3);
    }

    #[test]
    fn modules_in_layers_pass_and_so_do_tests_and_files_of_one_module() {
        let tests = "#[cfg(test)]\nmod tests { use crate::top::Top; }";
        let sources = [
            ("lib.rs", "mod low; mod top; pub use top::Top;"),
            ("low/mod.rs", tests),
            ("low/part.rs", "use crate::low::Low;"),
            ("top.rs", "use crate::{low::Low, Top};"),
        ];
        assert_eq!(circles(&sources), Vec::<String>::new());
    }
}
