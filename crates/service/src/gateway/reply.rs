//! Return values of handlers.

use roomwire_core::{Error, Payload};
use serde::Serialize;

/// An acknowledgement that is already encoded; it may have several arguments.
#[derive(Clone, Debug)]
pub struct Encoded(pub Payload);

/// The result of a handler: `Result<T, E>`, where `T` can be serialized (or is [`Encoded`]) and `E` becomes an
/// [`Error`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not the result of a handler",
    note = "a handler returns `Result<T, E>` where `T: Serialize` is the acknowledgement and `E: Into<Error>`",
    note = "return `Ok(())` when there is nothing to say; give an error of your own `impl From<YourError> for Error`"
)]
pub trait IntoReply {
    /// The encoded acknowledgement, or the error to send instead.
    ///
    /// # Errors
    /// The handler's own error; `INTERNAL` if the value cannot be serialized as JSON.
    fn into_reply(self) -> Result<Payload, Error>;
}

impl<T: Serialize, E: Into<Error>> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Payload, Error> {
        Payload::encode(&self.map_err(Into::into)?)
    }
}

impl<E: Into<Error>> IntoReply for Result<Encoded, E> {
    fn into_reply(self) -> Result<Payload, Error> {
        self.map(|Encoded(payload)| payload).map_err(Into::into)
    }
}
