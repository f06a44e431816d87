//! The port behind which is decided what a client may do with rooms and with other clients.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{ClientId, ClientKey, Error, Grants, Identity, RoomId};

/// Who wants to do something.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Actor {
    /// The client.
    pub client: ClientKey,
    /// What proved who it is, as it is now.
    pub identity: Arc<Identity>,
    /// Whether it is a member of the room that it is about; false where it is about no room.
    pub is_member: bool,
    /// Whether the service asks who its clients are. Where it does not, everybody is nobody in particular.
    pub is_authenticated: bool,
}

impl Actor {
    /// A client that is no member of the room, of a service that asks who its clients are.
    #[must_use]
    pub fn new(client: ClientKey, identity: Arc<Identity>) -> Self {
        Self { client, identity, is_member: false, is_authenticated: true }
    }

    /// The same client, as a member of the room or not.
    #[must_use]
    pub fn with_membership(self, is_member: bool) -> Self {
        Self { is_member, ..self }
    }

    /// The same client, of a service that asks who its clients are or not.
    #[must_use]
    pub fn with_authentication(self, is_authenticated: bool) -> Self {
        Self { is_authenticated, ..self }
    }

    /// What its claims say that it may do.
    #[must_use]
    pub fn grants(&self) -> Grants {
        Grants::of(&self.identity.claims)
    }
}

/// Decides what clients may do. Asked for everything that is done for a client through `ActingClient`, before it is done.
///
/// Each method that is not written says what the default policy says: members publish to their rooms and read who is in
/// them, and nobody else; [`Grants`] in a client's claims give more. `Ok(false)` is answered to the client as
/// `FORBIDDEN`, an error as it is.
///
/// ```
/// use async_trait::async_trait;
/// use roomwire_core::{Actor, Error, RoomId, RoomPolicy};
///
/// /// Rooms that begin with `staff-` are for the staff; everything else is as it is without a policy.
/// #[derive(Debug)]
/// struct StaffRooms;
///
/// #[async_trait]
/// impl RoomPolicy for StaffRooms {
///     async fn may_join(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
///         let staff = actor.identity.claims.get("staff").is_some_and(|staff| *staff == true);
///         Ok(staff || !room.starts_with("staff-"))
///     }
/// }
/// ```
///
/// # Cancellation
/// A question is dropped with whatever asked it; nothing was done then.
#[async_trait]
pub trait RoomPolicy: fmt::Debug + Send + Sync + 'static {
    /// Whether it may become a member of the room.
    ///
    /// By default: when its grants name the room. Without any grants of rooms everybody may, except nobody in particular
    /// where the service asks who its clients are.
    ///
    /// # Errors
    /// What the client is to be told instead of `FORBIDDEN`, or that it could not be decided.
    async fn may_join(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        let known = actor.identity.user.is_some() || !actor.is_authenticated;
        Ok(actor.grants().join(room).unwrap_or(known))
    }

    /// Whether it may send to the members of the room. By default: when it is one, or when its grants name the room.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_publish(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        Ok(actor.is_member || actor.grants().publish(room))
    }

    /// Whether it may send to this one client. By default: when its grants say so.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_message(&self, actor: &Actor, client: &ClientId) -> Result<bool, Error> {
        let _ = client;
        Ok(actor.grants().message())
    }

    /// Whether it may read who is in the room. By default: when it is a member, or when its grants name the room.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_read_members(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        Ok(actor.is_member || actor.grants().read_members(room))
    }
}

/// The policy of a service that was given none: every method as it is by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultPolicy;

impl RoomPolicy for DefaultPolicy {}
