//! Types that can be sent as the argument of an event.

use serde::Serialize;

use super::Payload;
use crate::Error;

/// The argument of an event: a reference to anything serializable, or an encoded [`Payload`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as the argument of an event",
    note = "pass a reference to a value that implements `serde::Serialize`, or a `Payload`"
)]
pub trait IntoPayload: Send {
    /// Encodes it, unless it is encoded already.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`](crate::ErrorCode::Internal) if the value cannot be serialized as JSON.
    fn into_payload(self) -> Result<Payload, Error>;
}

impl<T: Serialize + Sync + ?Sized> IntoPayload for &T {
    fn into_payload(self) -> Result<Payload, Error> {
        Payload::encode(self)
    }
}

impl IntoPayload for Payload {
    fn into_payload(self) -> Result<Payload, Error> {
        Ok(self)
    }
}
