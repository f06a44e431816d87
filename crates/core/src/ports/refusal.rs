//! What a backend that answers does not do.

use std::{borrow::Cow, fmt};

/// An operation that a backend refused: a right is missing, a command is unknown, or a key does not hold what this
/// service wrote. The backend can be reached, and repeating the operation does not help until a person changes
/// something.
///
/// `Display` shows all of it, for the log. It names keys, so it never goes to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The operation, for example `script join` or `SPUBLISH`. There are few of them, and none holds a name that a
    /// client chose.
    pub what: Cow<'static, str>,
    /// The backend's code, for example `NOPERM` or `WRONGTYPE`.
    pub code: String,
    /// What the code means and what to look at, as a sentence without a name of a key.
    pub meaning: &'static str,
    /// The backend's own words, with the command and the key or channel where they are known.
    pub words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.what, self.meaning, self.words)
    }
}

impl std::error::Error for Refusal {}
