//! HTTP long-polling: a request's body with packets of the client.

use bytes::Bytes;
use bytestring::ByteString;

use roomwire_core::DisconnectReason;

use super::{Ending, Problem, Rejected, Session, poll::SEPARATOR};

impl Session {
    /// Handles the packets in a body, one after the other, and waits while too many events of the client wait.
    ///
    /// Bodies that arrive at the same time are handled one after the other.
    ///
    /// # Errors
    /// [`Rejected`] for a session that uses a websocket, and for a body that is not Engine.IO, which ends the session.
    ///
    /// # Cancellation
    /// The packets before are handled.
    pub async fn receive_body(&self, body: Bytes) -> Result<(), Rejected> {
        if self.is_websocket() {
            return Err(Rejected);
        }
        self.alive();
        let _turn = self.0.posts.lock().await;
        let received = self.receive_packets(body).await;
        received.map_err(|problem| {
            self.end_for(&problem);
            Rejected
        })
    }

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
            self.receive_text(&body.slice_ref(packet))?;
            tokio::task::coop::consume_budget().await;
        }
        Ok(())
    }
}
