//! Names of rooms, clients, users and nodes.

use std::{borrow::Borrow, borrow::Cow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{INVALID_NAME_MARK, NameError, rule};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $most:literal) => {
        $(#[$doc])*
        ///
        /// Cheap to clone. UTF-8 of bounded length without control characters; everything else,
        /// spaces and right-to-left marks included, is kept byte for byte.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name allowed, in bytes.
            pub const MAX_BYTES: usize = $most;

            /// Checks a name.
            ///
            /// # Errors
            /// When it is empty, too long, or has a control character.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                let name = name.as_ref();
                rule::check($kind, name, Self::MAX_BYTES)?;
                Ok(Self(Arc::from(name)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&name).map_err(|error| de::Error::custom(format_args!("{INVALID_NAME_MARK}{error}")))
            }
        }
    };
}

id! {
    /// The key by which a newer value replaces an older one that is queued for a slow client, 1 to 128 bytes. For
    /// example, the user of a cursor.
    ConflationKey, "conflation key", 128
}

id! {
    /// The name of a room within its namespace, 1 to 128 bytes.
    RoomId, "room name", 128
}

id! {
    /// The public id of a connected client: its `socket.id`.
    ClientId, "client id", 128
}

id! {
    /// The user of a client, from the application's authentication. Several clients may belong to one user.
    UserId, "user id", 128
}

id! {
    /// The name of one process of the cluster, from its configuration or generated at start.
    NodeId, "node id", 128
}

id! {
    /// The id of a token (`jti`), by which it can be revoked.
    TokenId, "token id", 256
}

#[cfg(test)]
mod tests {
    use super::RoomId;

    #[test]
    fn names_of_1_to_128_bytes_are_kept_as_they_are() {
        for name in ["a", "a}{b", "räume 🏠", "\u{202e}right to left", &"x".repeat(128)] {
            assert_eq!(RoomId::new(name).expect("valid").as_str(), name);
        }
    }

    #[test]
    fn empty_long_and_control_character_names_are_refused_with_the_reason() {
        for (name, reason) in [
            (String::new(), "room name is empty; 1 to 128 bytes are allowed"),
            ("ä".repeat(65), "room name is 130 bytes long; 1 to 128 are allowed"),
            ("a\r\nb".to_owned(), "room name has a control character at byte 1"),
            ("nul\0".to_owned(), "room name has a control character at byte 3"),
        ] {
            assert_eq!(RoomId::new(&name).expect_err("refused").to_string(), reason);
        }
    }
}
