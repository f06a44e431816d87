//! Errors of the TLS configuration.

use std::fmt;

/// A setting of `tls` that cannot be used: the key, the file, the problem, and what to do.
///
/// `Debug` writes the same as `Display`, because a `main` that returns this error prints it by `Debug`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct TlsError {
    key: &'static str,
    file: Option<String>,
    problem: String,
}

impl TlsError {
    pub(super) fn unset(key: &'static str, instead: &str) -> Self {
        Self { key, file: None, problem: format!("not set, and ssl = true needs it: {instead}") }
    }

    pub(super) fn new(key: &'static str, file: &str, problem: impl Into<String>) -> Self {
        Self { key, file: Some(file.to_owned()), problem: problem.into() }
    }

    /// The key, `tls.cert` or `tls.key`.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key
    }

    /// The file of the key; `None` if the key is not set.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} = {file:?}: {}", self.key, self.problem),
            None => write!(f, "{}: {}", self.key, self.problem),
        }
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
