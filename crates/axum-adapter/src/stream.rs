//! A byte stream that can be ended and paused from outside.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::connection::Connection;

/// A stream under the control of a [`Connection`].
pub(crate) struct ControlledStream<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Runs while the peer takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
    /// Called when the stream is dropped: the connection is over.
    on_end: Option<Box<dyn FnOnce() + Send>>,
}

impl<S> ControlledStream<S> {
    pub(crate) fn new(stream: S, connection: Arc<Connection>, on_end: Option<Box<dyn FnOnce() + Send>>) -> Self {
        Self { stream, connection, stall: None, on_end }
    }

    fn check(&self) -> io::Result<()> {
        if self.connection.has_ended() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended by the server"));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ControlledStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Registered before asking, so that a change in between is not missed.
        self.connection.wake_reader_with(cx.waker());
        self.check()?;
        if self.connection.is_paused() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> ControlledStream<S> {
    /// Writes, or whatever else a writer waits for. Nothing is registered unless there is something to wait for: each
    /// delivered message comes through here.
    fn as_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.check()?;
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_pending() {
            self.connection.wake_writer_with(cx.waker());
            // Asked again after registering, so that an end in between is not missed.
            self.check()?;
            self.wait_no_longer_than_is_bearable(cx)?;
        } else if self.stall.take().is_some() {
            self.connection.set_blocked(false);
        }
        written
    }

    /// The peer takes nothing: ends the connection when it has been so for too long.
    fn wait_no_longer_than_is_bearable(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(patience) = self.connection.patience() else { return Ok(()) };
        let stall = self.stall.get_or_insert_with(|| {
            self.connection.set_blocked(true);
            Box::pin(tokio::time::sleep(patience))
        });
        if stall.as_mut().poll(cx).is_ready() {
            self.connection.stall();
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"));
        }
        Ok(())
    }
}

impl<S> ControlledStream<S> {
    fn counted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.connection.wrote(bytes);
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ControlledStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.as_writer(cx, |stream, cx| stream.poll_write(cx, bytes));
        self.counted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_writer(cx, |stream, cx| stream.poll_write_vectored(cx, slices));
        self.counted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_writer(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_writer(cx, AsyncWrite::poll_shutdown)
    }
}

impl<S> Drop for ControlledStream<S> {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            on_end();
        }
    }
}

impl<S> fmt::Debug for ControlledStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlledStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::ControlledStream;
    use crate::{backlog::Backlog, connection::Connection};

    #[tokio::test]
    async fn ending_a_connection_wakes_a_reader_and_a_writer_that_wait() {
        let (stream, _peer) = tokio::io::duplex(1);
        let connection = Arc::new(Connection::default());
        let (mut reader, mut writer) = tokio::io::split(ControlledStream::new(stream, connection.clone(), None));
        let reading = tokio::spawn(async move { reader.read_u8().await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 16]).await });
        tokio::task::yield_now().await;
        connection.end();
        let both = tokio::time::timeout(Duration::from_secs(5), async { (reading.await, writing.await) });
        let (read, written) = both.await.expect("both end");
        assert!(read.expect("no panic").is_err());
        assert!(written.expect("no panic").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_after_a_while_and_one_that_takes_little_never() {
        const PATIENCE: Duration = Duration::from_secs(10);
        let (stream, mut peer) = tokio::io::duplex(1);
        let connection = Arc::new(Connection::with_patience(PATIENCE));
        let mut writer = ControlledStream::new(stream, connection.clone(), None);
        let writing = tokio::spawn(async move { writer.write_all(&[7; 100]).await });
        for _ in 0..50 {
            tokio::time::sleep(PATIENCE - Duration::from_millis(1)).await;
            assert!(connection.is_blocked() && !connection.has_stalled());
            assert_eq!(peer.read_u8().await.expect("read"), 7);
        }
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        let written = writing.await.expect("no panic");
        assert_eq!(written.expect_err("given up").kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);
        assert!(connection.has_stalled() && connection.has_ended());
    }

    #[tokio::test]
    async fn what_is_written_is_taken_from_the_backlog_of_the_session() {
        let (stream, mut peer) = tokio::io::duplex(4);
        let (connection, backlog) = (Arc::new(Connection::default()), Arc::new(Backlog::new(100)));
        connection.count_for(&backlog);
        assert!(backlog.add(10));
        let mut writer = ControlledStream::new(stream, connection, None);
        let writing = tokio::spawn(async move { writer.write_all(&[7; 10]).await });
        tokio::task::yield_now().await;
        assert_eq!(backlog.waiting(), 6);
        peer.read_exact(&mut [0; 10]).await.expect("read");
        writing.await.expect("no panic").expect("written");
        assert_eq!(backlog.waiting(), 0);
    }

    #[tokio::test]
    async fn a_paused_connection_reads_again_after_every_pause_was_taken_back() {
        let (stream, mut peer) = tokio::io::duplex(16);
        let connection = Arc::new(Connection::default());
        let mut stream = ControlledStream::new(stream, connection.clone(), None);
        connection.pause();
        connection.pause();
        peer.write_u8(7).await.expect("written");
        let mut reading = tokio::spawn(async move { stream.read_u8().await });
        connection.resume();
        tokio::task::yield_now().await;
        assert!(futures_util::poll!(&mut reading).is_pending());
        connection.resume();
        let read = tokio::time::timeout(Duration::from_secs(5), reading).await.expect("woken");
        assert_eq!(read.expect("no panic").expect("read"), 7);
    }
}
