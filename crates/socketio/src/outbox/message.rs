//! One queued message.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use bytes::Bytes;
use roomwire_core::packet::{EncodedPacket, TextFrame};

/// A message for the client of a session, or for the session itself. Its bytes are shared by all recipients.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The key of the recipient; `None` for packets of the session.
    pub(super) recipient: Option<u64>,
    pub(crate) text: TextFrame,
    attachments: Option<Arc<[Bytes]>>,
}

impl Message {
    pub(super) fn new(recipient: &Arc<Recipient>, packet: &EncodedPacket) -> Self {
        Self {
            recipient: Some(recipient.key()),
            text: packet.message().clone(),
            attachments: packet.shared_attachments(),
        }
    }

    /// A packet of the session, or one that a client gets outside of its limits.
    pub(crate) fn unlimited(text: TextFrame) -> Self {
        Self { recipient: None, text, attachments: None }
    }

    /// The size of text and attachments in bytes.
    pub(crate) fn size(&self) -> usize {
        self.text.frame().len() + self.attachments().iter().map(Bytes::len).sum::<usize>()
    }

    /// The binary messages that follow the text.
    pub(crate) fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// The limits apply to what the service sends, and to nothing else.
    pub(super) fn is_limited(&self) -> bool {
        self.recipient.is_some()
    }
}

/// A client as the send queue knows it.
#[derive(Debug)]
pub(crate) struct Recipient {
    state: AtomicU8,
    key: u64,
}

/// It was not told yet that it is connected.
const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
/// It has left, or missed a message. Nothing is sent after a gap: the client sees the messages up to it and then the
/// end of its connection.
const CLOSED: u8 = 2;

impl Default for Recipient {
    fn default() -> Self {
        static NEXT_KEY: AtomicU64 = AtomicU64::new(0);
        Self { state: AtomicU8::new(CONNECTING), key: NEXT_KEY.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Recipient {
    pub(crate) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// It is told that it is connected. False when it is closed.
    pub(super) fn open(&self) -> bool {
        self.state.compare_exchange(CONNECTING, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Ordering::Release);
    }

    /// Never used again: messages for a client may outlive it.
    pub(super) fn key(&self) -> u64 {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::Recipient;

    #[test]
    fn the_key_of_a_recipient_that_is_gone_is_not_used_again() {
        let keys: HashSet<_> = (0..100).map(|_| Arc::new(Recipient::default()).key()).collect();
        assert_eq!(keys.len(), 100);
    }
}
