//! Conversions to the names of rooms and clients.

use super::{ClientId, NameError, RoomId};

/// A room, or text that names one.
///
/// Text is validated; a [`RoomId`] was validated when it was created.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a room",
    note = "a room is named by `&RoomId`, `RoomId`, `&str` or `&String`"
)]
pub trait ToRoom: Send {
    /// The room's name.
    ///
    /// # Errors
    /// If the text violates the rules for names.
    fn to_room(self) -> Result<RoomId, NameError>;
}

/// A client, or text that is its id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a client",
    note = "a client is named by `&Client`, `&ClientId`, `ClientId`, `&str` or `&String`"
)]
pub trait ToClientId: Send {
    /// The client's id.
    ///
    /// # Errors
    /// If the text violates the rules for names.
    fn to_client_id(self) -> Result<ClientId, NameError>;
}

macro_rules! to_name {
    ($name:ident, $trait:ident, $method:ident) => {
        impl $trait for $name {
            fn $method(self) -> Result<$name, NameError> {
                Ok(self)
            }
        }

        impl $trait for &$name {
            fn $method(self) -> Result<$name, NameError> {
                Ok(self.clone())
            }
        }

        impl $trait for &str {
            fn $method(self) -> Result<$name, NameError> {
                $name::new(self)
            }
        }

        impl $trait for &String {
            fn $method(self) -> Result<$name, NameError> {
                $name::new(self)
            }
        }
    };
}

to_name!(RoomId, ToRoom, to_room);
to_name!(ClientId, ToClientId, to_client_id);
