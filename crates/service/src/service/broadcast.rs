//! Messages to many clients.

use roomwire_core::{
    Channel, ClientId, Conflation, ConflationKey, EncodedPayload, Error, Escaped, IntoPayload, NodeMessage,
    OutboundEvent, RoomKey, ToClientId, ToRoom,
};
use tracing::Instrument;

use super::WebSocketService;
use crate::metrics::Timer;

impl WebSocketService {
    /// Sends an event to all members of a room, in the whole cluster.
    ///
    /// The data is encoded once. Messages to members on this node are queued when this returns; other nodes get at most
    /// one message, and none if they certainly have no members. Makes no store call. A room without members is no
    /// error.
    ///
    /// # Errors
    /// `INVALID_NAME`; `INTERNAL` if the data cannot be serialized as JSON; `LIMIT_EXCEEDED` if it has more binary
    /// values than `limits.attachments`; `PAYLOAD_TOO_LARGE` if the data is too large for other nodes, and then no
    /// member gets the message; `STATE_UNAVAILABLE` if other nodes could not be reached: members on this node get the
    /// message nevertheless.
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

    /// Sends a value of which only the newest matters, such as a cursor position, to all members of a room, in the
    /// whole cluster.
    ///
    /// A member that keeps up gets every value, in order, as with [`broadcast_to_room`](Self::broadcast_to_room). For a
    /// slow member, a value replaces the queued one of the same room and key, at its place in the queue: the member
    /// gets the newest value of each key once it reads again. Such values never disconnect it; a client that reads
    /// nothing at all for `limits.writeTimeout` is disconnected in any case.
    ///
    /// `key` determines which values replace each other, 1 to 128 bytes of the caller's choice. Values of up to 256
    /// keys are queued for one connection, up to `limits.sendBufferBytes` bytes in all; beyond that, the oldest are
    /// dropped.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room); `INVALID_NAME` also for an invalid key.
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
        let span = tracing::debug_span!(
            target: "roomwire", "broadcast", room_name = %Escaped(&room.room), event = ?event.name
        );
        let sending = async move {
            let _timer = Timer::start(&self.node.metrics.broadcasts);
            self.node.backend.fits_message(&event.payload)?;
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
        };
        sending.instrument(span).await
    }

    async fn to_all(&self, except: Option<ClientId>, event: &OutboundEvent) -> Result<(), Error> {
        let namespace = self.namespace_name().clone();
        let span = tracing::debug_span!(
            target: "roomwire", "broadcast", namespace = %Escaped(&namespace), event = ?event.name
        );
        let sending = async move {
            let _timer = Timer::start(&self.node.metrics.broadcasts);
            self.node.backend.fits_message(&event.payload)?;
            self.node.deliver_to_all(&self.namespace, except.as_ref(), event);
            self.to_others(Channel::Namespace(namespace.clone()), || NodeMessage::ToAll {
                namespace,
                except,
                event: event.name.as_str().to_owned(),
                payload: EncodedPayload::from(&event.payload),
            })
            .await
        };
        sending.instrument(span).await
    }

    /// Publishes one message, unless there is no other node to receive it.
    pub(super) async fn to_others(&self, channel: Channel, message: impl FnOnce() -> NodeMessage) -> Result<(), Error> {
        if !self.node.backend.backplane.may_reach_others(&channel) {
            return Ok(());
        }
        let bytes = self.node.envelope(message())?;
        Ok(self.node.backend.bounded(self.node.backend.backplane.publish(&channel, bytes)).await?)
    }
}

fn latest(room: &RoomKey, key: &str, event: OutboundEvent) -> Result<OutboundEvent, Error> {
    let conflation = Conflation { room: room.room.clone(), key: ConflationKey::new(key)? };
    Ok(event.with_conflation(conflation))
}
