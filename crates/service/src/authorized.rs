//! Operations for a client, each checked against the room policy.

use roomwire_core::{
    Actor, ClientId, Error, ErrorCode, IntoPayload, MemberRecord, Page, PageRequest, RoomId, ToClientId, ToRoom,
};

use crate::{Client, Event, FromEvent, WebSocketService};

/// A client with its permissions: each operation through this handle checks the
/// [`RoomPolicy`](roomwire_core::RoomPolicy) first, with the client's current identity.
///
/// Use it in handlers that act on a client's request, and [`WebSocketService`] for decisions of the server, which need
/// no permission.
///
/// ```
/// use roomwire_service::{AuthorizedClient, Data, Error, Gateway, RoomId};
///
/// async fn join(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
///     me.join_room(&room).await // FORBIDDEN reaches the client by `?`
/// }
///
/// async fn say(me: AuthorizedClient, Data((room, text)): Data<(RoomId, String)>) -> Result<(), Error> {
///     me.broadcast_to_room(&room, "said", &text).await
/// }
///
/// let gateway = Gateway::new().on("join", join).on("say", say);
/// # let _ = gateway;
/// ```
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    service: WebSocketService,
    client: Client,
}

impl WebSocketService {
    /// The handle for operations that a client of this node may perform.
    #[must_use]
    pub fn acting_for(&self, client: &Client) -> AuthorizedClient {
        AuthorizedClient { service: self.of_client(client), client: client.clone() }
    }
}

impl AuthorizedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Joins a room that the client [may join](roomwire_core::RoomPolicy::may_join). The policy is not called if the
    /// client is a member already.
    ///
    /// # Errors
    /// `FORBIDDEN`, and as [`WebSocketService::join_room`].
    ///
    /// # Cancellation
    /// As there; a call of the policy is dropped.
    pub async fn join_room(&self, room: impl ToRoom) -> Result<(), Error> {
        let room = room.to_room()?;
        if !self.client.is_in(&room) {
            let allowed = self.service.node.auth_hooks.policy.may_join(&self.actor(Some(&room)), &room).await?;
            permit(allowed, "You may not join this room")?;
        }
        self.service.join_room(&self.client, &room).await
    }

    /// Leaves a room. Needs no permission.
    ///
    /// # Errors
    /// As [`WebSocketService::leave_room`].
    pub async fn leave_room(&self, room: impl ToRoom) -> Result<(), Error> {
        self.service.leave_room(&self.client, room).await
    }

    /// Sends an event to all members of a room to which the client
    /// [may publish](roomwire_core::RoomPolicy::may_publish), itself included when it is one.
    ///
    /// # Errors
    /// `FORBIDDEN`, and as [`WebSocketService::broadcast_to_room`].
    pub async fn broadcast_to_room(&self, room: impl ToRoom, event: &str, data: impl IntoPayload) -> Result<(), Error> {
        let room = self.publish_to(room).await?;
        self.service.broadcast_to_room(&room, event, data).await
    }

    /// As [`broadcast_to_room`](Self::broadcast_to_room), to all members but this client.
    ///
    /// # Errors
    /// As there.
    pub async fn broadcast_to_others(
        &self,
        room: impl ToRoom,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let room = self.publish_to(room).await?;
        self.service.broadcast_to_room_except(self.client.id(), &room, event, data).await
    }

    /// Sends an event to one client that this one [may message](roomwire_core::RoomPolicy::may_message), wherever in
    /// the cluster it is. A client without the permission does not learn whether the other exists.
    ///
    /// # Errors
    /// `FORBIDDEN`, and as [`WebSocketService::send_to_client`].
    pub async fn send_to_client(
        &self,
        client: impl ToClientId,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let client: ClientId = client.to_client_id()?;
        let allowed = self.service.node.auth_hooks.policy.may_message(&self.actor(None), &client).await?;
        permit(allowed, "You may not send to this client")?;
        self.service.send_to_client(&client, event, data).await
    }

    /// A page of the members of a room whose members the client
    /// [may read](roomwire_core::RoomPolicy::may_read_members), across the cluster.
    ///
    /// # Errors
    /// `FORBIDDEN`, and as [`WebSocketService::members`].
    pub async fn members(&self, room: impl ToRoom, page: &PageRequest) -> Result<Page<MemberRecord>, Error> {
        let room = room.to_room()?;
        let allowed = self.service.node.auth_hooks.policy.may_read_members(&self.actor(Some(&room)), &room).await?;
        permit(allowed, "You may not read who is in this room")?;
        self.service.members(&room, page).await
    }

    /// The room, if the client may publish to it.
    async fn publish_to(&self, room: impl ToRoom) -> Result<RoomId, Error> {
        let room = room.to_room()?;
        let allowed = self.service.node.auth_hooks.policy.may_publish(&self.actor(Some(&room)), &room).await?;
        permit(allowed, "You may not publish to this room")?;
        Ok(room)
    }

    fn actor(&self, room: Option<&RoomId>) -> Actor {
        Actor::new(self.client.key().clone(), self.client.identity())
            .with_membership(room.is_some_and(|room| self.client.is_in(room)))
            .with_authentication(self.service.node.auth_hooks.authenticator.is_some())
    }
}

fn permit(allowed: bool, refusal: &'static str) -> Result<(), Error> {
    if allowed { Ok(()) } else { Err(Error::with_message(ErrorCode::Forbidden, refusal)) }
}

impl FromEvent for AuthorizedClient {
    async fn from_event(event: &Event) -> Result<Self, Error> {
        Ok(event.service().acting_for(event.client()))
    }
}
