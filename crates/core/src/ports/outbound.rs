//! Events to clients.

use std::sync::{Arc, OnceLock};

use crate::{ConflationKey, EventName, Namespace, Payload, RoomId, packet::EncodedPacket};

/// An event to send to one client, or to several clients of one namespace.
#[derive(Clone, Debug)]
pub struct OutboundEvent {
    /// The event's name.
    pub name: EventName,
    /// Its arguments, encoded once.
    pub payload: Payload,
    /// Set if a newer event of the same kind may replace this one.
    pub conflation: Option<Arc<Conflation>>,
    packet: OnceLock<EncodedPacket>,
}

impl OutboundEvent {
    /// An event that every receiver must see.
    #[must_use]
    pub fn new(name: EventName, payload: Payload) -> Self {
        Self { name, payload, conflation: None, packet: OnceLock::new() }
    }

    /// Allows newer events of the same conflation to replace this one.
    #[must_use]
    pub fn with_conflation(self, conflation: impl Into<Arc<Conflation>>) -> Self {
        Self { conflation: Some(conflation.into()), ..self }
    }

    /// The Socket.IO packet without an acknowledgement id, encoded on first use and shared by all receivers.
    ///
    /// All receivers of an event are in one namespace: later calls return the packet of the first, so every call must
    /// pass the same namespace. Changes of the public fields after the first call do not affect the packet.
    pub fn packet(&self, namespace: &Namespace) -> &EncodedPacket {
        self.packet.get_or_init(|| EncodedPacket::event(namespace, None, &self.name, &self.payload))
    }
}

/// Which events replace each other while they are queued: those of one room with one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conflation {
    /// The room they are sent to.
    pub room: RoomId,
    /// The sender's key.
    pub key: ConflationKey,
}

impl Conflation {
    /// The number of conflations for which a client's connection holds at least one value while it cannot be written
    /// to. If there are more, the values that wait longest are dropped.
    pub const HELD: usize = 256;
}

#[cfg(test)]
mod tests {
    use super::{Conflation, OutboundEvent};
    use crate::{ConflationKey, EventName, Namespace, Payload, RoomId};

    #[test]
    fn a_packet_is_encoded_once_and_shared() {
        let payload = Payload::encode(&1).expect("encodes");
        let event = OutboundEvent::new(EventName::new("say").expect("valid"), payload);
        let namespace = Namespace::new("/chat").expect("valid");
        let text = event.packet(&namespace).text();
        assert_eq!(text, r#"2/chat,["say",1]"#);
        assert_eq!(event.packet(&namespace).text().as_ptr(), text.as_ptr());
        assert_eq!(event.clone().packet(&namespace).text().as_ptr(), text.as_ptr());
    }

    #[test]
    fn a_conflation_is_added_to_an_event() {
        let event = OutboundEvent::new(EventName::new("at").expect("valid"), Payload::default());
        assert_eq!(event.conflation, None);
        let conflation =
            Conflation { room: RoomId::new("map").expect("valid"), key: ConflationKey::new("ada").expect("valid") };
        assert_eq!(event.with_conflation(conflation.clone()).conflation.as_deref(), Some(&conflation));
    }
}
