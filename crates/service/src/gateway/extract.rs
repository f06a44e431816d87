//! Extractors: the arguments of a handler.

use std::{any::TypeId, sync::Arc};

use roomwire_core::{DisconnectReason, Error, EventName, Payload, RoomId};
use serde::de::DeserializeOwned;

use super::Event;
use crate::{Client, WebSocketService};

/// A type that can be an argument of a handler.
///
/// Implement it to give handlers types of the application's own, such as the signed-in user:
///
/// ```
/// use roomwire_service::{Error, ErrorCode, Event, FromEvent};
///
/// struct Moderator(String);
///
/// impl FromEvent for Moderator {
///     async fn from_event(event: &Event) -> Result<Self, Error> {
///         match event.client().user() {
///             Some(user) if user.starts_with("mod:") => Ok(Self(user.to_string())),
///             _ => Err(Error::new(ErrorCode::Forbidden)),
///         }
///     }
/// }
/// ```
///
/// An error is sent to the client as if the handler had returned it; the handler does not run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler",
    label = "not extractable from an event",
    note = "a handler's argument is one of: WebSocketService, Client, Data<T>, State<T>, EventName, Payload, Event, DisconnectReason, LeftRooms, or a type that implements FromEvent",
    note = "the payload of the event is extracted by `Data(value): Data<{Self}>`"
)]
pub trait FromEvent: Sized + Send {
    /// Extracts the value from the event.
    ///
    /// # Errors
    /// The error that the client gets instead of the handler's response.
    fn from_event(event: &Event) -> impl Future<Output = Result<Self, Error>> + Send;

    /// The state that it needs; checked when the gateway is mounted.
    #[must_use]
    fn requires() -> Option<Requirement> {
        None
    }
}

/// A type of state that an extractor needs.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    type_id: TypeId,
    type_name: &'static str,
}

impl Requirement {
    /// State of this type.
    #[must_use]
    pub fn state<T: 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>() }
    }

    pub(super) fn type_id(&self) -> TypeId {
        self.type_id
    }

    pub(super) fn type_name(&self) -> &'static str {
        self.type_name
    }
}

/// The event's arguments, decoded.
///
/// One argument is decoded as `T`, several as a tuple. Data that does not match is answered with `INVALID_PAYLOAD`
/// naming the field, or `INVALID_NAME` if the value of a [`RoomId`] breaks its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data<T>(pub T);

impl<T: DeserializeOwned + Send> FromEvent for Data<T> {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        event.payload.decode().map(Self)
    }
}

/// A value of the application, set with [`Gateway::with_state`](super::Gateway::with_state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromEvent for State<T> {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        let state = event.session.routes.states.get::<T>().cloned();
        state.map(Self).ok_or_else(|| Error::internal("state was not given to the gateway"))
    }

    fn requires() -> Option<Requirement> {
        Some(Requirement::state::<T>())
    }
}

/// The rooms a client was in when it disconnected. For `on_disconnect`; empty elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRooms(pub Arc<[RoomId]>);

impl FromEvent for LeftRooms {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(Self(event.departure.as_ref().map_or_else(|| Arc::from([]), |(_, rooms)| rooms.clone())))
    }
}

/// Why the client disconnected. For `on_disconnect`; elsewhere it is an `INTERNAL` error.
impl FromEvent for DisconnectReason {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        let departure = event.departure.as_ref();
        departure.map(|(reason, _)| *reason).ok_or_else(|| Error::internal("only on_disconnect has a reason"))
    }
}

impl FromEvent for WebSocketService {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.service().clone())
    }
}

impl FromEvent for Client {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.client().clone())
    }
}

impl FromEvent for EventName {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.name.clone())
    }
}

impl FromEvent for Payload {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.payload.clone())
    }
}

impl FromEvent for Event {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.clone())
    }
}
