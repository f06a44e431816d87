//! A session over a websocket.

mod closing;
mod connection;
pub(crate) mod frame_reader;
mod frame_writer;
mod probe;

use std::io;

use roomwire_core::{DisconnectReason, packet::TextFrame};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use connection::{Closed, Connection};
use frame_reader::FrameError;

use crate::session::{Ending, Session};

impl Session {
    /// Serves a session that begins with this websocket, until either is closed.
    ///
    /// The stream is that of an upgraded HTTP connection. An error of the kind [`io::ErrorKind::TimedOut`] tells that
    /// the client read nothing for `limits.writeTimeout`.
    ///
    /// # Cancellation
    /// Dropping the future ends the session.
    pub async fn serve_websocket(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
        self.inner().outbox.send_soon(TextFrame::new(&self.open_packet()));
        let connection = Connection::new(stream, &self);
        self.serve(connection).await;
    }

    /// Moves a session over HTTP long-polling to this websocket, when the websocket has carried the client's probe both
    /// ways within `limits.handshakeTimeout`, and then serves it. Until then, messages go over HTTP requests; a
    /// websocket that is closed, carries nothing, or is one too many leaves the session as it was.
    ///
    /// # Cancellation
    /// Dropping the future ends the session if it has moved.
    pub async fn upgrade_to_websocket(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
        let Some(permit) = self.begin_probe() else { return };
        let mut connection = Connection::new(stream, &self);
        let probe = timeout(self.inner().settings.config.limits.handshake_timeout, connection.probe());
        let has_succeeded = tokio::select! {
            probed = probe => matches!(probed, Ok(Ok(()))),
            () = self.released() => false,
        };
        if has_succeeded {
            self.moved_to_websocket(permit);
            self.serve(connection).await;
        }
    }

    async fn serve(self, mut connection: Connection<impl AsyncRead + AsyncWrite + Unpin + Send>) {
        let guard = EndOnDrop(&self);
        match connection.run(&self).await {
            Closed::BySession(Ending::Abort) => {}
            Closed::BySession(Ending::Flush) => connection.close(&self, None, "").await,
            Closed::ByClient(code) => {
                self.end(DisconnectReason::ClientDisconnected, Ending::Abort);
                connection.answer_close(&self, code).await;
            }
            Closed::Broken(error) if error.kind() == io::ErrorKind::TimedOut && self.inner().outbox.is_behind() => {
                self.end_slow();
            }
            Closed::Broken(_) => self.end(DisconnectReason::ConnectionLost, Ending::Abort),
            Closed::Rejected(error) => {
                let (code, reason) = match error {
                    FrameError::Protocol(reason) => (1002, reason),
                    FrameError::InvalidText => (1007, "a text is not UTF-8"),
                    FrameError::TooLarge => {
                        (1009, "PAYLOAD_TOO_LARGE: the message is larger than limits.payload allows")
                    }
                };
                self.end_for_frame(error, reason);
                connection.close(&self, Some(code), reason).await;
            }
        }
        drop(guard);
    }
}

/// Ends a session when its task ends in any way: also by a panic, or with its runtime.
struct EndOnDrop<'a>(&'a Session);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end(DisconnectReason::ConnectionLost, Ending::Abort);
        self.0.release();
    }
}
