//! Messages to many clients.

use roomwire_core::{
    Channel, ClientId, Conflation, ConflationKey, EncodedPayload, Error, IntoPayload, NodeMessage, OutboundEvent,
    RoomKey, ToClientId, ToRoom,
};

use super::WebSocketService;

impl WebSocketService {
    /// Sends an event to all members of a room, in the whole cluster.
    ///
    /// The data is encoded once. Members on this node have it queued when this returns; other nodes get at
    /// most one message, and none when it is certain that they have no members. No state is read. A room
    /// without members is no error.
    ///
    /// # Errors
    /// `INVALID_NAME`; `INTERNAL` when the data cannot be written as JSON; `LIMIT_EXCEEDED` when it has more binary
    /// values than `limits.attachments`; `PAYLOAD_TOO_LARGE` when the data is more than can be sent to other nodes, and
    /// then no member has the message; `STATE_UNAVAILABLE` when other nodes could not be reached: this node's members
    /// have the message then.
    pub async fn broadcast_to_room(&self, room: impl ToRoom, event: &str, data: impl IntoPayload) -> Result<(), Error> {
        self.to_room(self.room_key(room)?, None, &self.outbound(event, data)?).await
    }

    /// As [`broadcast_to_room`](Self::broadcast_to_room), to all members but one, usually the sender.
    ///
    /// # Errors
    /// As there.
    pub async fn broadcast_to_room_except(
        &self,
        except: impl ToClientId,
        room: impl ToRoom,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        self.to_room(self.room_key(room)?, Some(except.to_client_id()?), &self.outbound(event, data)?).await
    }

    /// Sends an event to all clients of this namespace, in the whole cluster. The data is encoded once.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room).
    pub async fn broadcast(&self, event: &str, data: impl IntoPayload) -> Result<(), Error> {
        self.to_all(None, &self.outbound(event, data)?).await
    }

    /// As [`broadcast`](Self::broadcast), to all clients but one, usually the sender.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room).
    pub async fn broadcast_except(
        &self,
        except: impl ToClientId,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        self.to_all(Some(except.to_client_id()?), &self.outbound(event, data)?).await
    }

    /// Sends a value of which only the newest counts, such as a cursor position, to all members of a room, in the
    /// whole cluster.
    ///
    /// A member that keeps up gets every value, in order, as with [`broadcast_to_room`](Self::broadcast_to_room). For
    /// one that is behind, a value replaces the one of the same room and key that still waits, and is sent in its turn:
    /// the member gets the newest value of each key once it reads again. It is never disconnected because of such
    /// values; one that takes nothing at all for `limits.writeTimeout` is, whatever waits for it.
    ///
    /// `key` says which values replace each other, 1 to 128 bytes of the caller's choice. Values of up to 256 keys wait
    /// for one connection, up to `limits.sendBufferBytes` bytes in all; of more, those that wait longest are dropped.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room); `INVALID_NAME` for a bad key too.
    pub async fn broadcast_latest_to_room(
        &self,
        room: impl ToRoom,
        key: &str,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let room = self.room_key(room)?;
        let event = latest(&room, key, self.outbound(event, data)?)?;
        self.to_room(room, None, &event).await
    }

    /// As [`broadcast_latest_to_room`](Self::broadcast_latest_to_room), to all members but one, usually the sender.
    ///
    /// # Errors
    /// As there.
    pub async fn broadcast_latest_to_room_except(
        &self,
        except: impl ToClientId,
        room: impl ToRoom,
        key: &str,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let room = self.room_key(room)?;
        let event = latest(&room, key, self.outbound(event, data)?)?;
        self.to_room(room, Some(except.to_client_id()?), &event).await
    }

    async fn to_room(&self, room: RoomKey, except: Option<ClientId>, event: &OutboundEvent) -> Result<(), Error> {
        self.node.fits_message(&event.payload)?;
        self.node.deliver_to_room(&self.namespace, &room.room, except.as_ref(), event);
        let channel = Channel::Room(room.clone());
        self.to_others(channel, || NodeMessage::ToRoom {
            room,
            except,
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
            conflate: event.conflation.as_ref().map(|conflation| conflation.key.as_str().to_owned()),
        })
        .await
    }

    async fn to_all(&self, except: Option<ClientId>, event: &OutboundEvent) -> Result<(), Error> {
        self.node.fits_message(&event.payload)?;
        self.node.deliver_to_all(&self.namespace, except.as_ref(), event);
        let namespace = self.namespace_name().clone();
        self.to_others(Channel::Namespace(namespace.clone()), || NodeMessage::ToAll {
            namespace,
            except,
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
        })
        .await
    }

    /// Publishes one message, unless there is no other node to receive it.
    pub(super) async fn to_others(&self, channel: Channel, message: impl FnOnce() -> NodeMessage) -> Result<(), Error> {
        if !self.node.backplane.may_reach_others(&channel) {
            return Ok(());
        }
        let bytes = self.node.envelope(message())?;
        Ok(self.node.bounded(self.node.backplane.publish(&channel, bytes)).await?)
    }
}

fn latest(room: &RoomKey, key: &str, event: OutboundEvent) -> Result<OutboundEvent, Error> {
    let conflation = Conflation { room: room.room.clone(), key: ConflationKey::new(key)? };
    Ok(OutboundEvent { conflation: Some(conflation.into()), ..event })
}
