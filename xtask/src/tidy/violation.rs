//! A broken rule: where, and what is wrong there.

use std::fmt;

/// Displays as `path:line: text`, which editors and terminals make a link of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    text: String,
}

impl Violation {
    pub(super) fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Where a file cannot be read as what it is named for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) text: String,
}

/// The line that a byte of a text lies in, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// What a rule says of a file with this path and text, for the tests of rules.
#[cfg(test)]
pub(super) fn found(path: &str, text: &str, rule: impl FnOnce(&super::SourceFile, &mut Vec<Violation>)) -> Vec<String> {
    let mut violations = Vec::new();
    rule(&super::SourceFile::new(path, text), &mut violations);
    violations.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        assert_eq!(line_of("a\nb\n", 0), 1);
        assert_eq!(line_of("a\nb\n", 2), 2);
    }

    #[test]
    fn a_violation_shows_where_it_is() {
        let shown = Violation::new("crates/core/src/lib.rs", 3, "is wrong").to_string();
        assert_eq!(shown, "crates/core/src/lib.rs:3: is wrong");
    }
}
