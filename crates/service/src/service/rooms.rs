//! Rooms: joining, leaving, and their settings.

use roomwire_core::{
    Error, ErrorCode, MemberRecord, Metadata, NewRoom, Page, PageRequest, RoomChange, RoomKey, RoomSummary, ToRoom,
    WebSocketRoom,
};

use super::WebSocketService;
use crate::{Client, ServiceEvent, limits, task};

impl WebSocketService {
    /// Makes a client of this node a member of a room. The room is created if it does not exist.
    ///
    /// When it returns, the client gets every message that is sent to the room from then on, from any node. Joining a
    /// room twice is one membership. The store is called nevertheless, because another node may have deleted the room a
    /// moment ago; while the store is unavailable, a membership that this node knows is assumed to exist.
    ///
    /// # Errors
    /// `ROOM_FULL`, `ROOM_CLOSED`, `INVALID_NAME`, `LIMIT_EXCEEDED` when the client is in `limits.roomsPerClient`
    /// rooms, `CLIENT_NOT_FOUND` if it has disconnected, `ROOM_NOT_FOUND` if the room is being deleted,
    /// `STATE_UNAVAILABLE`, `SHUTTING_DOWN`.
    ///
    /// # Cancellation
    /// The join completes, also if the future is dropped.
    pub async fn join_room(&self, client: &Client, room: impl ToRoom) -> Result<(), Error> {
        let (service, room) = (self.of_client(client), room.to_room()?);
        limits::room(&self.node.config().limits, &room)?;
        task::to_the_end(service.node.join(service.namespace, client.clone(), room)).await
    }

    /// Ends a membership of a client of this node. The client receives nothing more from the room once this has
    /// returned.
    ///
    /// # Errors
    /// `NOT_IN_ROOM`, `INVALID_NAME`. An unreachable store is no error: it is updated later, and the call takes no
    /// longer than `state.timeout`.
    ///
    /// # Cancellation
    /// The leave completes, also if the future is dropped.
    pub async fn leave_room(&self, client: &Client, room: impl ToRoom) -> Result<(), Error> {
        let service = self.of_client(client);
        let (room, limit) = (room.to_room()?, service.node.started().state.timeout);
        task::to_the_end_or(limit, |left| service.node.leave(service.namespace, client.clone(), room, left)).await
    }

    /// Creates a room by name, optionally with a capacity and metadata. It exists until it is deleted or, with
    /// [`NewRoom::keep_when_empty`] false, until its last member has left.
    ///
    /// # Errors
    /// `FORBIDDEN` if the room exists already, `INVALID_NAME`, `LIMIT_EXCEEDED` if name and metadata are larger than
    /// `limits.metadata`, `STATE_UNAVAILABLE`.
    pub async fn create_room(&self, room: impl ToRoom, new: NewRoom) -> Result<WebSocketRoom, Error> {
        let key = self.room_key(room)?;
        // A room with a longer name could not be joined.
        limits::room(&self.node.config().limits, &key.room)?;
        limits::notes(&self.node.config().limits, &new.metadata, new.name.as_ref().map_or(0, String::len))?;
        let created = self.node.backend.bounded(self.node.backend.store.create_room(&key, &new)).await?;
        self.node.events.send(|| ServiceEvent::RoomCreated { room: key });
        Ok(created)
    }

    /// Closes a room: no client can join it after this has returned. Members stay. A room that does not exist is
    /// created as a closed room.
    ///
    /// # Errors
    /// `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn close_room(&self, room: impl ToRoom) -> Result<WebSocketRoom, Error> {
        self.change_room(room, &RoomChange::Close, |room| ServiceEvent::RoomClosed { room }).await
    }

    /// Opens a closed room.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn open_room(&self, room: impl ToRoom) -> Result<WebSocketRoom, Error> {
        self.change_room(room, &RoomChange::Open, |room| ServiceEvent::RoomOpened { room }).await
    }

    /// Sets or removes the capacity of a room. Members beyond it stay.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn set_room_capacity(&self, room: impl ToRoom, capacity: Option<u32>) -> Result<WebSocketRoom, Error> {
        self.change_room(room, &RoomChange::Capacity(capacity), |room| ServiceEvent::RoomChanged { room }).await
    }

    /// Replaces the metadata of a room.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `INVALID_NAME`, `LIMIT_EXCEEDED` if it is larger than `limits.metadata`, `STATE_UNAVAILABLE`.
    pub async fn set_room_metadata(&self, room: impl ToRoom, metadata: Metadata) -> Result<WebSocketRoom, Error> {
        limits::notes(&self.node.config().limits, &metadata, 0)?;
        self.change_room(room, &RoomChange::Metadata(metadata), |room| ServiceEvent::RoomChanged { room }).await
    }

    /// Deletes a room. All memberships end, on every node, each with a `Left` of reason `room deleted`.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    ///
    /// # Cancellation
    /// A deletion that has begun completes, also if the future is dropped.
    pub async fn delete_room(&self, room: impl ToRoom) -> Result<(), Error> {
        task::to_the_end(self.node.clone().delete_room(self.room_key(room)?)).await
    }

    /// One room with all its members, across the cluster.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn room(&self, room: impl ToRoom) -> Result<WebSocketRoom, Error> {
        let key = self.room_key(room)?;
        self.node
            .backend
            .bounded(self.node.backend.store.room(&key))
            .await?
            .ok_or_else(|| ErrorCode::RoomNotFound.into())
    }

    /// A page of the rooms of this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn rooms(&self, page: &PageRequest) -> Result<Page<RoomSummary>, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.rooms(self.namespace_name(), page)).await?)
    }

    /// The number of rooms in this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn room_count(&self) -> Result<u64, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.room_count(self.namespace_name())).await?)
    }

    /// A page of the members of a room, across the cluster; empty if the room does not exist.
    ///
    /// # Errors
    /// `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn members(&self, room: impl ToRoom, page: &PageRequest) -> Result<Page<MemberRecord>, Error> {
        let Page { items, next } =
            self.node.backend.bounded(self.node.backend.store.members(&self.room_key(room)?, page)).await?;
        Ok(Page { items: items.into_iter().map(MemberRecord::from).collect(), next })
    }

    /// The number of members of a room, across the cluster; zero if the room does not exist.
    ///
    /// # Errors
    /// `INVALID_NAME`, `STATE_UNAVAILABLE`.
    pub async fn member_count(&self, room: impl ToRoom) -> Result<u64, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.member_count(&self.room_key(room)?)).await?)
    }

    async fn change_room(
        &self,
        room: impl ToRoom,
        change: &RoomChange,
        event: impl FnOnce(RoomKey) -> ServiceEvent,
    ) -> Result<WebSocketRoom, Error> {
        let key = self.room_key(room)?;
        let changed = self
            .node
            .backend
            .retrying(self.node.backend.deadline(), || self.node.backend.store.change_room(&key, change))
            .await?;
        self.node.events.send(|| event(key));
        Ok(changed)
    }

    /// A client belongs to its own namespace, whichever handle is asked.
    pub(crate) fn of_client(&self, client: &Client) -> Self {
        if client.namespace() == self.namespace_name() { self.clone() } else { self.in_namespace(client.namespace()) }
    }
}
