//! One queued message.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use roomwire_core::packet::{EncodedPacket, TextFrame};

/// A message for the client of a session, or for the session itself. Its bytes are shared by all recipients.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The recipient, by its address; `None` for packets of the session.
    pub(super) recipient: Option<usize>,
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
#[derive(Debug, Default)]
pub(crate) struct Recipient(AtomicU8);

/// It was not told yet that it is connected.
const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
/// It has left, or missed a message. Nothing is sent after a gap: the client sees the messages up to it and then the
/// end of its connection.
const CLOSED: u8 = 2;

impl Recipient {
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPEN
    }

    /// It is told that it is connected. False when it is closed.
    pub(super) fn open(&self) -> bool {
        self.0.compare_exchange(CONNECTING, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn close(&self) {
        self.0.store(CLOSED, Ordering::Release);
    }

    pub(super) fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }
}
