//! The messages between nodes, sent over the backplane.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    ClientId, DisconnectReason, Incarnation, Namespace, NodeId, Payload, Revocation, RoomKey, RoomUid, Timestamp,
    TraceParent, UserId,
};

/// A message between nodes, with its version and sender.
///
/// On the wire: one version byte, sender, milliseconds since 1970, optional trace context and message in
/// [postcard](https://postcard.jamesmunns.com)'s format, and the XXH3 checksum of these, eight bytes in little-endian
/// order.
///
/// The checksum detects messages that were damaged in transit. Without it a damaged payload would reach clients, and
/// official clients disconnect when they cannot parse it. It does not prove which node sent the message: a program that
/// can publish on the backplane is trusted.
///
/// A process ignores its own messages. It counts a message that [`Envelope::decode`] refuses as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The incarnation that sent it.
    pub from: Incarnation,
    /// When it was sent, by the clock of the sender. Clocks of nodes differ: use it for measurements only.
    pub sent_at: Timestamp,
    /// The span that sent it. A text that is not valid is read as `None`.
    pub trace: Option<TraceParent>,
    /// The message itself.
    pub message: NodeMessage,
}

/// A message from one node to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeMessage {
    /// Deliver an event to the members of a room, except to one client.
    ToRoom {
        /// The room.
        room: RoomKey,
        /// The client that does not get it.
        except: Option<ClientId>,
        /// The event's name.
        event: String,
        /// Its arguments.
        payload: EncodedPayload,
        /// Of the queued events with this key only the newest matters to a slow member. Without a key every event
        /// matters.
        #[serde(default)]
        conflate: Option<String>,
    },
    /// Deliver an event to every client of a namespace, except to one.
    ToAll {
        /// The namespace.
        namespace: Namespace,
        /// The client that does not get it.
        except: Option<ClientId>,
        /// The event's name.
        event: String,
        /// Its arguments.
        payload: EncodedPayload,
    },
    /// Deliver an event to one client of the addressed node.
    ToClient {
        /// The client's namespace.
        namespace: Namespace,
        /// The client.
        client: ClientId,
        /// The event's name.
        event: String,
        /// Its arguments.
        payload: EncodedPayload,
    },
    /// Deliver an event to these clients of the addressed node and report their acknowledgements.
    AckRequest {
        /// The id of the request, repeated in each response.
        request: u64,
        /// The clients' namespace.
        namespace: Namespace,
        /// The clients.
        clients: Vec<ClientId>,
        /// The event's name.
        event: String,
        /// Its arguments.
        payload: EncodedPayload,
        /// How long to wait for them, in milliseconds.
        timeout_ms: u64,
    },
    /// The answer of one client to a [`NodeMessage::AckRequest`], without a payload if the client did not answer.
    AckResponse {
        /// The id of the request.
        request: u64,
        /// The client.
        client: ClientId,
        /// Its acknowledgement.
        payload: Option<EncodedPayload>,
    },
    /// Disconnect a client of the addressed node.
    Disconnect {
        /// The client's namespace.
        namespace: Namespace,
        /// The client.
        client: ClientId,
        /// The reason.
        reason: DisconnectReason,
    },
    /// A room was deleted, and its memberships ended.
    RoomDeleted {
        /// The room.
        room: RoomKey,
        /// The uid of the deleted room. A later room of the same name has another.
        uid: RoomUid,
    },
    /// Deliver an event to all clients of a user in a namespace.
    ToUser {
        /// The clients' namespace.
        namespace: Namespace,
        /// The user.
        user: UserId,
        /// The event's name.
        event: String,
        /// Its arguments.
        payload: EncodedPayload,
    },
    /// Disconnect all clients of a user in a namespace.
    DisconnectUser {
        /// The clients' namespace.
        namespace: Namespace,
        /// The user.
        user: UserId,
        /// The reason.
        reason: DisconnectReason,
    },
    /// Access was revoked: clients that the revocation covers are disconnected, and refused from now on.
    Revoked(Revocation),
    /// The sender has started. A process with the same node id warns of it.
    Began,
    /// The processes with this node id drain: their clients move to other nodes.
    Drain {
        /// The node.
        node: NodeId,
    },
}

/// A payload in transit between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedPayload {
    arguments: String,
    attachments: Vec<Vec<u8>>,
}

impl From<&Payload> for EncodedPayload {
    fn from(payload: &Payload) -> Self {
        Self {
            arguments: payload.arguments().to_owned(),
            attachments: payload.attachments().iter().map(|bytes| bytes.to_vec()).collect(),
        }
    }
}

impl From<EncodedPayload> for Payload {
    fn from(payload: EncodedPayload) -> Self {
        Self::from_encoded(payload.arguments.into(), payload.attachments.into_iter().map(Bytes::from).collect())
    }
}

/// Why bytes from the backplane were ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The sender uses another version.
    #[error("message of version {0}, expected {version}", version = Envelope::VERSION)]
    Version(u8),
    /// The bytes differ from those that were sent, or no node sent them.
    #[error("message fails its checksum: it was damaged on the way, or is not of this service")]
    Damaged,
    /// The bytes are not a message of this service.
    #[error("not a message of this service")]
    Malformed,
    /// The message is larger than any this service sends.
    #[error("message of {0} bytes, at most {most} are accepted", most = Envelope::MAX_BYTES)]
    TooLarge(usize),
}

impl Envelope {
    /// The version of the format. Nodes of different versions reject each other's messages.
    pub const VERSION: u8 = 4;

    /// The largest message that is accepted, in bytes: the largest payload a client may send, and the
    /// names around it.
    pub const MAX_BYTES: usize = 68 << 20;

    /// The message as bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::TooLarge`] if other nodes would reject it.
    pub fn encode(&self) -> Result<Bytes, EnvelopeError> {
        let trace = self.trace.as_ref().map(TraceParent::as_str);
        let body = (&self.from, self.sent_at.as_millis(), trace, &self.message);
        let mut bytes = postcard::to_extend(&body, vec![Self::VERSION]).map_err(|_| EnvelopeError::Malformed)?;
        let checksum = xxh3_64(&bytes[1..]);
        bytes.extend(checksum.to_le_bytes());
        if bytes.len() > Self::MAX_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        Ok(bytes.into())
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are too many, of another version, damaged or not a message. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let (version, rest) = bytes.split_first().ok_or(EnvelopeError::Malformed)?;
        if *version != Self::VERSION {
            return Err(EnvelopeError::Version(*version));
        }
        let (body, checksum) = rest.split_last_chunk().ok_or(EnvelopeError::Malformed)?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(EnvelopeError::Damaged);
        }
        let (from, sent_at, trace, message) =
            postcard::from_bytes::<(_, _, Option<&str>, _)>(body).map_err(|_| EnvelopeError::Malformed)?;
        let trace = trace.and_then(TraceParent::parse);
        Ok(Self { from, sent_at: Timestamp::from_millis(sent_at), trace, message })
    }

    /// The node that sent it. Another process may have the same id: see [`Self::from`].
    #[must_use]
    pub fn sender(&self) -> &NodeId {
        self.from.node()
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeError, NodeMessage};
    use crate::{
        Binary, Incarnation, Namespace, NodeId, Payload, Revocation, Revoked, RoomId, RoomKey, Timestamp, TokenId,
        TraceParent, UserId,
    };

    fn envelope() -> Envelope {
        let payload = Payload::encode(&("text", Binary::from(vec![1, 2, 3]))).expect("encodes");
        Envelope {
            from: Incarnation::begin(NodeId::random()),
            sent_at: Timestamp::from_millis(1_795_446_540_120),
            trace: None,
            message: NodeMessage::ToRoom {
                room: RoomKey::new(Namespace::root(), RoomId::new("r").expect("valid")),
                except: None,
                event: "greet".to_owned(),
                payload: (&payload).into(),
                conflate: None,
            },
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let sent = envelope();
        assert_eq!(Envelope::decode(&sent.encode().expect("encodes")).expect("decodes"), sent);
    }

    #[test]
    fn a_trace_context_is_read_as_it_was_written_and_ignored_if_it_is_not_valid() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let sent = Envelope { trace: TraceParent::parse(text), ..envelope() };
        assert_eq!(Envelope::decode(&sent.encode().expect("encodes")).expect("decodes"), sent);

        for invalid in ["", "junk", &"0".repeat(1 << 20)] {
            let body = (&sent.from, sent.sent_at.as_millis(), Some(invalid), &sent.message);
            let mut bytes = postcard::to_extend(&body, vec![Envelope::VERSION]).expect("encodes");
            bytes.extend(xxhash_rust::xxh3::xxh3_64(&bytes[1..]).to_le_bytes());
            assert_eq!(Envelope::decode(&bytes).expect("decodes"), Envelope { trace: None, ..sent.clone() });
        }
    }

    #[test]
    fn what_is_said_of_users_is_read_as_it_was_written() {
        let moment = Timestamp::from_millis(1_795_446_540_120);
        let subjects = [
            Revoked::User(UserId::new("ada").expect("valid")),
            Revoked::Token(TokenId::new("a,b {c}").expect("valid")),
        ];
        for subject in subjects {
            let message = NodeMessage::Revoked(Revocation { subject, revoked_at: moment, until: moment });
            let sent = Envelope { message, ..envelope() };
            assert_eq!(Envelope::decode(&sent.encode().expect("encodes")).expect("decodes"), sent);
        }
    }

    #[test]
    fn foreign_newer_and_cut_messages_are_refused() {
        let bytes = envelope().encode().expect("encodes");
        let mut newer = bytes.to_vec();
        for other in [1, 2, 3, 5] {
            newer[0] = other;
            assert_eq!(Envelope::decode(&newer), Err(EnvelopeError::Version(other)));
        }
        assert_eq!(Envelope::decode(&[]), Err(EnvelopeError::Malformed));
        for end in 1..bytes.len() {
            assert!(Envelope::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
