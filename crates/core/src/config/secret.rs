//! A secret value that is never shown.

use std::fmt;

/// The replacement for a hidden value.
pub(super) const HIDDEN: &str = "(hidden)";

/// A password or another secret. It appears in no error, no `Debug` output and no serialized configuration; only
/// [`expose`](Self::expose) returns it.
///
/// ```
/// use roomwire_core::config::Secret;
///
/// let secret = Secret::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "(hidden)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself. Pass it only to the API that needs the secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Removes user and password from a URL: the text between `://` and the last `@`. May hide more than that but never
/// less, also if the password has characters that should have been escaped.
pub(super) fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + "://".len() < at => {
            format!("{}{HIDDEN}{}", &text[..scheme + "://".len()], &text[at..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_in_a_url_are_hidden_and_nothing_else_is() {
        for (text, shown) in [
            ("tcp://h:1/0", "tcp://h:1/0"),
            ("tcp://me:pa/ss?w@rd@h:1", "tcp://(hidden)@h:1"),
            ("tcp://:p@h,tcp://:q@i", "tcp://(hidden)@i"),
            ("tcp://@h", "tcp://@h"),
            ("a@b", "a@b"),
            ("a@b://c", "a@b://c"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
