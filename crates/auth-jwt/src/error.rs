//! Errors of the configuration of tokens.

use std::fmt;

/// Why [`JwtAuthenticator::from_config`](crate::JwtAuthenticator::from_config) failed. The text names the configuration
/// key and says what to do; it contains no secret.
///
/// `Debug` shows the same text: it is what a `main` that returns this error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// The configuration is incomplete or contradictory. Retries do not help.
    #[error("{key}: {problem}")]
    Settings {
        /// The key of the configuration, such as `auth.algorithms`.
        key: &'static str,
        /// The problem, and what to do.
        problem: String,
    },
    /// The keys could not be read from their source. May be transient if it is a URL.
    #[error("{key}: {problem}")]
    Unreadable {
        /// The configuration key of the source.
        key: &'static str,
        /// What was read, what happened, and what to do.
        problem: String,
    },
    /// The source contains no key that the configured algorithms could use.
    #[error("{key}: {problem}")]
    Unfit {
        /// The configuration key that contains it or its location.
        key: &'static str,
        /// The problem, and what to do.
        problem: String,
    },
}

impl fmt::Debug for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
