//! What nodes say to each other over the backplane.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ClientId, DisconnectReason, Incarnation, Namespace, NodeId, Payload, Revocation, RoomKey, RoomUid, UserId,
};

/// A message between nodes, with its version and sender.
///
/// On the wire: one version byte, then the rest in [postcard](https://postcard.jamesmunns.com)'s format.
/// A node ignores what has another version, does not decode, or is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The incarnation that sent it.
    pub from: Incarnation,
    /// What it says.
    pub message: NodeMessage,
}

/// What one node tells others.
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
        /// Of the events with this key that a slow member has not been sent yet, only the newest matters. Without a key
        /// every event does.
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
    Ask {
        /// By which the answers are told apart.
        question: u64,
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
    /// What one client answered to an [`NodeMessage::Ask`]; no payload when it did not.
    Answered {
        /// The question.
        question: u64,
        /// The client that was asked.
        client: ClientId,
        /// Its acknowledgement.
        answer: Option<EncodedPayload>,
    },
    /// Disconnect a client of the addressed node.
    Disconnect {
        /// The client's namespace.
        namespace: Namespace,
        /// The client.
        client: ClientId,
        /// The reason to give.
        reason: DisconnectReason,
    },
    /// A room was deleted: its members are members no more.
    RoomDeleted {
        /// The room.
        room: RoomKey,
        /// The life of the room that ended; a later room of the same name is not meant.
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
        /// The reason to give.
        reason: DisconnectReason,
    },
    /// Access was taken back: clients that it covers are disconnected, and refused from now on.
    Revoked(Revocation),
}

/// A payload on its way between nodes.
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
    /// The sender speaks another version.
    #[error("message of version {0}, expected {version}", version = Envelope::VERSION)]
    Version(u8),
    /// The bytes are not a message of ours.
    #[error("not a message of this service")]
    Malformed,
    /// The message is larger than any this service sends.
    #[error("message of {0} bytes, at most {most} are accepted", most = Envelope::MAX_BYTES)]
    TooLarge(usize),
}

impl Envelope {
    /// The version of the format. Nodes of different versions ignore each other's messages.
    pub const VERSION: u8 = 2;

    /// The largest message that is accepted, in bytes: the largest payload a client may send, and the
    /// names around it.
    pub const MAX_BYTES: usize = 68 << 20;

    /// The message as bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::TooLarge`] when other nodes would refuse it.
    pub fn encode(&self) -> Result<Bytes, EnvelopeError> {
        let body = (&self.from, &self.message);
        let bytes = postcard::to_extend(&body, vec![Self::VERSION]).map_err(|_| EnvelopeError::Malformed)?;
        if bytes.len() > Self::MAX_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        Ok(bytes.into())
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are too many, of another version or not a message. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let (version, body) = bytes.split_first().ok_or(EnvelopeError::Malformed)?;
        if *version != Self::VERSION {
            return Err(EnvelopeError::Version(*version));
        }
        let (from, message) = postcard::from_bytes(body).map_err(|_| EnvelopeError::Malformed)?;
        Ok(Self { from, message })
    }

    /// The node that sent it.
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
        UserId,
    };

    fn envelope() -> Envelope {
        let payload = Payload::encode(&("text", Binary::from(vec![1, 2, 3]))).expect("encodes");
        Envelope {
            from: Incarnation::begin(NodeId::random()),
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
        for other in [1, 3] {
            newer[0] = other;
            assert_eq!(Envelope::decode(&newer), Err(EnvelopeError::Version(other)));
        }
        assert_eq!(Envelope::decode(&[]), Err(EnvelopeError::Malformed));
        for end in 1..bytes.len() {
            assert!(Envelope::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
