//! Why tokens cannot be checked.

use std::fmt;

/// Why [`JwtAuthenticator::from_config`](crate::JwtAuthenticator::from_config) refused. The text names the key of the
/// configuration and says what to do; it holds no secret.
///
/// `Debug` shows the same text: it is what a `main` that returns this error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// The configuration does not say clearly enough what to accept. Trying again does not help.
    #[error("{key}: {problem}")]
    Settings {
        /// The key of the configuration, such as `auth.algorithms`.
        key: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The keys could not be read from where they are. May pass by itself when they come from a URL.
    #[error("{key}: {problem}")]
    Unreadable {
        /// The key of the configuration that says where they are.
        key: &'static str,
        /// What was read, what happened, and what to do.
        problem: String,
    },
    /// What was read is no key by which the configured algorithms could check a token.
    #[error("{key}: {problem}")]
    Unfit {
        /// The key of the configuration that holds it or says where it is.
        key: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

impl fmt::Debug for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
