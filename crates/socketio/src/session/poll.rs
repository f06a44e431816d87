//! HTTP long-polling: the messages of a session as the response to a request.

use std::{future::poll_fn, pin::pin, sync::atomic::Ordering, task::Poll, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use roomwire_core::{DisconnectReason, config::Transport};

use super::{Ending, Problem, Session, UpgradeState};
use crate::outbox::Message;

/// What separates packets in a body.
pub(super) const SEPARATOR: u8 = 0x1e;

/// The response to a poll.
#[derive(Debug)]
pub enum PollResponse {
    /// Messages, and the record of their delivery.
    Messages(Bytes, Delivery),
    /// A packet that says nothing: the client moves to a websocket, or closed the session itself.
    Noop,
    /// The packet by which the server closes a session, because of what the client sent. Some clients take it for the end
    /// of all attempts to reconnect.
    Close,
    /// The session has ended for another reason: the answer is that of an unknown session.
    Unknown,
    /// The server shuts down; the answer is 503.
    ShuttingDown,
    /// The session uses a websocket, or was polled by another request at the same time, which ends it. The answer
    /// is 400.
    Rejected,
}

/// The delivery of the messages in a response. If it is dropped before it is complete, the session ends: nothing may
/// follow a gap.
#[derive(Debug)]
#[must_use]
pub struct Delivery {
    session: Option<Session>,
    bytes: usize,
}

/// How long the system may take to send each byte that it has buffered: 50 kB/s.
const READING_TIME: Duration = Duration::from_micros(20);

impl Delivery {
    /// The client took a part of the body.
    pub fn progressed(&self) {
        if let Some(session) = &self.session {
            session.0.outbox.progressed();
            session.note_activity();
        }
    }

    /// The server has taken all of the body. The client may still be reading it.
    pub fn complete(&mut self) {
        if let Some(session) = self.session.take() {
            let reading_time = READING_TIME.saturating_mul(u32::try_from(self.bytes).unwrap_or(u32::MAX));
            session.0.outbox.written(reading_time);
            session.note_reading_time(reading_time);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.end(DisconnectReason::ConnectionLost, Ending::Abort);
        }
    }
}

/// A poll that waits. If it is dropped, its connection broke.
struct Waiting<'a> {
    session: &'a Session,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.session.0.is_polled.store(false, Ordering::Release);
        // A session that has moved to a websocket does not need it.
        let has_moved = self.session.0.upgrade.as_ref().is_some_and(UpgradeState::is_websocket);
        if !self.is_answered && !has_moved {
            self.session.end(DisconnectReason::ConnectionLost, Ending::Abort);
        }
    }
}

impl Session {
    /// Waits for messages and takes them, at most as many as one response may have.
    ///
    /// # Cancellation
    /// Dropping the future ends the session: the client is gone.
    pub async fn poll(&self) -> PollResponse {
        let Some(upgrade) = self.0.upgrade.as_ref().filter(|upgrade| !upgrade.is_websocket()) else {
            return PollResponse::Rejected;
        };
        if self.0.is_polled.swap(true, Ordering::AcqRel) || self.0.outbox.is_writing() {
            self.end_for(&Problem::Engine("it asked for its packets in two requests at one time"));
            return PollResponse::Rejected;
        }
        let mut waiting = Waiting { session: self, is_answered: false };
        self.note_activity();
        let response = self.next_response(upgrade).await;
        waiting.is_answered = true;
        response
    }

    async fn next_response(&self, upgrade: &UpgradeState) -> PollResponse {
        let (outbox, mut released) = (&self.0.outbox, pin!(upgrade.poll_released()));
        poll_fn(|cx| {
            outbox.wake_transport_with(Transport::Polling, cx.waker());
            if upgrade.is_websocket() {
                return Poll::Ready(PollResponse::Noop);
            }
            if self.ending() != Some(Ending::Abort) {
                let mut body = Vec::new();
                let most = self.0.settings.limits.body;
                let batch = outbox.next_messages(Transport::Polling, most, |message| push(&mut body, &message));
                if !body.is_empty() {
                    outbox.still_unwritten(batch);
                    let delivery = Delivery { session: Some(self.clone()), bytes: body.len() };
                    return Poll::Ready(PollResponse::Messages(body.into(), delivery));
                }
            }
            if self.ending().is_some() {
                self.release();
                return Poll::Ready(match self.0.reason.get() {
                    Some(DisconnectReason::ClientDisconnected) => PollResponse::Noop,
                    Some(DisconnectReason::ServerShutdown) => PollResponse::ShuttingDown,
                    Some(DisconnectReason::ProtocolError) => PollResponse::Close,
                    _ => PollResponse::Unknown,
                });
            }
            released.as_mut().poll(cx).map(|()| PollResponse::Noop)
        })
        .await
    }
}

fn push(body: &mut Vec<u8>, message: &Message) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
    body.extend_from_slice(&message.text.payload());
    for attachment in message.attachments() {
        body.extend_from_slice(&[SEPARATOR, b'b']);
        body.extend_from_slice(STANDARD.encode(attachment).as_bytes());
    }
}
