//! Names of events.

use std::{fmt, ops::Deref};

use bytestring::ByteString;
use serde::{Serialize, Serializer};

use super::{NameError, rule};

/// The name of an event, 1 to 64 bytes, none of the names that Socket.IO reserves.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventName(ByteString);

impl EventName {
    /// The longest name allowed, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The names that client libraries use for their own events.
    pub const RESERVED: [&'static str; 6] =
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

    /// The event that reports an error to a client that did not ask for an acknowledgement.
    pub const ERROR: Self = Self(ByteString::from_static("error"));
    /// The event by which a connected client sends newer credentials, if the service has an authenticator.
    pub const AUTHENTICATE: Self = Self(ByteString::from_static("authenticate"));
    /// The event name that an `on_connect` handler sees.
    pub const CONNECT: Self = Self(ByteString::from_static("connect"));
    /// The event name that an `on_disconnect` handler sees.
    pub const DISCONNECT: Self = Self(ByteString::from_static("disconnect"));

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, reserved, or has a control character.
    pub fn new(name: impl Into<ByteString>) -> Result<Self, NameError> {
        let name = name.into();
        rule::check("event name", &name, Self::MAX_BYTES)?;
        match Self::RESERVED.iter().find(|reserved| **reserved == &*name) {
            Some(reserved) => Err(NameError::reserved("event name", reserved)),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::EventName;

    #[test]
    fn reserved_names_are_refused() {
        for name in EventName::RESERVED {
            let error = EventName::new(name).expect_err("refused");
            assert_eq!(error.to_string(), format!("event name `{name}` is reserved by Socket.IO"));
        }
    }

    #[test]
    fn names_are_1_to_64_bytes_long() {
        assert!(EventName::new("x".repeat(64)).is_ok());
        assert!(EventName::new("x".repeat(65)).is_err());
        assert!(EventName::new("").is_err());
    }
}
