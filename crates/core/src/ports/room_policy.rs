//! The port that authorizes operations of clients on rooms and other clients.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{ClientId, ClientKey, Error, Grants, Identity, RoomId};

/// The client that requests an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Actor {
    /// The client.
    pub client: ClientKey,
    /// Its current identity.
    pub identity: Arc<Identity>,
    /// Whether the client is a member of the room of the operation. False if the operation concerns no room.
    pub is_member: bool,
    /// Whether the service authenticates its clients. If it does not, every client is anonymous.
    pub is_authenticated: bool,
}

impl Actor {
    /// A client that is not a member of the room, in a service that authenticates its clients.
    #[must_use]
    pub fn new(client: ClientKey, identity: Arc<Identity>) -> Self {
        Self { client, identity, is_member: false, is_authenticated: true }
    }

    /// The same client, as a member of the room or not.
    #[must_use]
    pub fn with_membership(self, is_member: bool) -> Self {
        Self { is_member, ..self }
    }

    /// The same client, in a service that authenticates its clients or does not.
    #[must_use]
    pub fn with_authentication(self, is_authenticated: bool) -> Self {
        Self { is_authenticated, ..self }
    }

    /// The grants in its claims.
    #[must_use]
    pub fn grants(&self) -> Grants {
        Grants::of(&self.identity.claims)
    }
}

/// Decides what clients may do. The service calls it before each operation of an `AuthorizedClient`.
///
/// The default of each method is the default policy: only members may publish to a room and read its members, and
/// [`Grants`] in a client's claims allow more. The client gets `FORBIDDEN` for `Ok(false)`, and an error unchanged.
///
/// ```
/// use async_trait::async_trait;
/// use roomwire_core::{Actor, Error, RoomId, RoomPolicy};
///
/// /// Rooms that begin with `staff-` are for the staff; everything else follows the default policy.
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
/// If the operation is cancelled, the future of its check is dropped and nothing has been done.
#[async_trait]
pub trait RoomPolicy: fmt::Debug + Send + Sync + 'static {
    /// Whether the client may join the room.
    ///
    /// By default, if its grants name the room. Without any grants for rooms every client may join, except an anonymous
    /// client of a service that authenticates its clients.
    ///
    /// # Errors
    /// The error that the client gets instead of `FORBIDDEN`, or the failure to decide.
    async fn may_join(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        let known = actor.identity.user.is_some() || !actor.is_authenticated;
        Ok(actor.grants().join(room).unwrap_or(known))
    }

    /// Whether the client may send to the members of the room. By default, if it is a member, or if its grants name the
    /// room.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_publish(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        Ok(actor.is_member || actor.grants().publish(room))
    }

    /// Whether the client may send to this one client. By default, if its grants allow it.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_message(&self, actor: &Actor, client: &ClientId) -> Result<bool, Error> {
        let _ = client;
        Ok(actor.grants().message())
    }

    /// Whether the client may read the members of the room. By default, if it is a member, or if its grants name the
    /// room.
    ///
    /// # Errors
    /// As for [`may_join`](Self::may_join).
    async fn may_read_members(&self, actor: &Actor, room: &RoomId) -> Result<bool, Error> {
        Ok(actor.is_member || actor.grants().read_members(room))
    }
}

/// The policy of a service without its own: every method has its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultPolicy;

impl RoomPolicy for DefaultPolicy {}
