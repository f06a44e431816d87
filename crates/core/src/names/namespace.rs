//! Names of namespaces.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{NameError, rule};

/// A Socket.IO namespace such as `/` or `/admin`.
///
/// Clients, rooms and events of different namespaces are separate, even over one connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// The longest name allowed, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The namespace `/`, the default of clients.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("/"))
    }

    /// Checks a name.
    ///
    /// # Errors
    /// When it does not start with `/`, is too long, or has a control character, a `,` or a `?` (which
    /// would end the name on the wire).
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        const KIND: &str = "namespace";
        let name = name.as_ref();
        rule::check(KIND, name, Self::MAX_BYTES)?;
        if !name.starts_with('/') {
            return Err(NameError::no_leading_slash(KIND));
        }
        match name.chars().find(|character| matches!(character, ',' | '?' | '{' | '}')) {
            Some(character) => Err(NameError::separator(KIND, character)),
            None => Ok(Self(Arc::from(name))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::root()
    }
}

impl Deref for Namespace {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Namespace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Cow::<'de, str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Namespace;

    #[test]
    fn a_namespace_starts_with_a_slash_and_cannot_end_itself_on_the_wire() {
        assert!(Namespace::new("/admin").is_ok());
        for name in ["", "admin", "/a,b", "/a?b", "/{a}", "/a\n"] {
            assert!(Namespace::new(name).is_err(), "{name:?}");
        }
    }
}
