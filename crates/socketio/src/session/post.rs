//! HTTP long-polling: a request's body with packets of the client.

use bytes::Bytes;
use bytestring::ByteString;

use roomwire_core::DisconnectReason;
use tokio::sync::MutexGuard;

use super::{Ending, Problem, Rejected, Session, poll::SEPARATOR};

impl Session {
    /// Waits until no other body is read or handled.
    pub async fn next_body(&self) -> NextBody<'_> {
        NextBody { session: self, _guard: self.0.posts.lock().await }
    }

    /// Handles a body: [`next_body`](Self::next_body) and [`NextBody::receive`] in one.
    ///
    /// # Errors
    /// Those of [`NextBody::receive`].
    pub async fn receive_body(&self, body: Bytes) -> Result<(), Rejected> {
        self.next_body().await.receive(body).await
    }
}

/// The right to read and handle the next body of a session.
#[derive(Debug)]
pub struct NextBody<'a> {
    session: &'a Session,
    _guard: MutexGuard<'a, ()>,
}

impl NextBody<'_> {
    /// Handles the packets in a body, one after the other, and waits while too many events of the client wait.
    ///
    /// # Errors
    /// [`Rejected`] for a session that uses a websocket, and for a body that is not Engine.IO, which ends the session.
    ///
    /// # Cancellation
    /// The packets before are handled.
    pub async fn receive(self, body: Bytes) -> Result<(), Rejected> {
        let session = self.session;
        if session.is_websocket() {
            return Err(Rejected);
        }
        session.note_activity();
        session.receive_packets(body).await.map_err(|problem| {
            session.end_for(&problem);
            Rejected
        })
    }
}

impl Session {
    /// Ends the session because a body did not arrive: its packets are lost, and nothing may follow a gap.
    pub fn body_lost(&self, is_refused: bool) {
        if is_refused {
            self.end_for(&Problem::Engine("the body of a request is too large, or did not arrive in time"));
        } else {
            self.end(DisconnectReason::ConnectionLost, Ending::Flush);
        }
    }

    async fn receive_packets(&self, body: Bytes) -> Result<(), Problem> {
        let body = ByteString::try_from(body).map_err(|_| Problem::Engine("a body is not UTF-8"))?;
        for packet in body.split(char::from(SEPARATOR)) {
            self.0.read_gate.ready().await;
            if self.ending().is_some() {
                break;
            }
            // A small packet must not keep a large body in memory.
            let is_small = packet.len() < body.len() / 4;
            self.receive_text(&if is_small { ByteString::from(packet) } else { body.slice_ref(packet) })?;
            tokio::task::coop::consume_budget().await;
        }
        Ok(())
    }
}
