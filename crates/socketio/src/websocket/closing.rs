//! The end of a websocket: a close frame, and the client's answer to it.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use roomwire_core::config::Transport;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use super::connection::Connection;
use crate::session::{Ending, Session};

/// How long the server waits for the client to answer a close frame, and reads what is in flight. A connection that is
/// dropped with unread bytes is reset, and its client may not see the close frame.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How much is read and dropped at once.
const DISCARDED: usize = 4096;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Writes the queued messages of a session and a close frame, and waits for the client's.
    pub(super) async fn close(mut self, session: &Session, code: Option<u16>, reason: &str) {
        // The queue is written up to its end, unless the session is aborted meanwhile.
        let written = poll_fn(|cx| {
            session.inner().outbox.wake_transport_with(Transport::Websocket, cx.waker());
            if session.ending() == Some(Ending::Abort) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            self.writer.poll_write(Pin::new(&mut self.stream), cx, &session.inner().outbox, || {})
        });
        if written.await.is_ok() {
            self.writer.close(code, reason);
            let _ = timeout(ANSWER_TIMEOUT, self.finish(session)).await;
        }
    }

    /// Writes the close frame and reads until the client closes the connection.
    async fn finish(&mut self, session: &Session) -> io::Result<()> {
        let outbox = &session.inner().outbox;
        poll_fn(|cx| self.writer.poll_write(Pin::new(&mut self.stream), cx, outbox, || {})).await?;
        self.stream.shutdown().await?;
        poll_fn(|cx| self.poll_discard(cx)).await
    }

    /// Reads to the end of the stream. The buffer is on the stack of this call: in a task, each connection would have it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut storage = [MaybeUninit::uninit(); DISCARDED];
        loop {
            let mut buffer = ReadBuf::uninit(&mut storage);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Answers a client's close frame, after the frame that is being written.
    pub(super) async fn answer_close(mut self, session: &Session, code: Option<u16>) {
        self.writer.close(code, "");
        let outbox = &session.inner().outbox;
        let answered = async {
            poll_fn(|cx| self.writer.poll_write(Pin::new(&mut self.stream), cx, outbox, || {})).await?;
            self.stream.shutdown().await
        };
        // The client has gone, whether it sees the answer or not.
        let _ = timeout(ANSWER_TIMEOUT, answered).await;
    }
}
