//! Operations that a reachable backend refuses.

use std::{borrow::Cow, fmt};

/// An operation that a backend refused: a permission is missing, a command is unknown, or a key has another type than
/// this service writes. The backend is reachable, and retries fail until an operator changes something.
///
/// `Display` shows all of it, for the log. It contains keys, so it is never sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The operation, for example `script join` or `SPUBLISH`. There are few of them, and none contains a name that a
    /// client chose.
    pub what: Cow<'static, str>,
    /// The backend's code, for example `NOPERM` or `WRONGTYPE`.
    pub code: String,
    /// What the code means and what to check, as a sentence without a name of a key.
    pub meaning: &'static str,
    /// The backend's own words, with the command and the key or channel if they are known.
    pub words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.what, self.meaning, self.words)
    }
}

impl std::error::Error for Refusal {}
