//! A byte stream that can be ended from outside.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    connection::Connection,
    write_deadline::{Probe, WriteDeadline, stalled},
};

/// A stream under the control of a [`Connection`].
pub(crate) struct ControlledStream<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Called when the stream is dropped: the connection is over.
    on_end: Option<Box<dyn FnOnce() + Send>>,
    deadline: Option<WriteDeadline<S>>,
}

impl<S> ControlledStream<S> {
    pub(crate) fn new(stream: S, connection: Arc<Connection>, on_end: Option<Box<dyn FnOnce() + Send>>) -> Self {
        Self { stream, connection, on_end, deadline: None }
    }

    /// Ends the connection when nothing could be written for so long. The probe tells a peer that reads slowly from one
    /// that does not read.
    pub(crate) fn with_deadline(mut self, patience: Duration, probe: Option<Probe<S>>) -> Self {
        self.deadline = Some(WriteDeadline::new(patience, probe));
        self
    }

    fn check(&self) -> io::Result<()> {
        if self.connection.has_stalled() {
            return Err(stalled());
        }
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
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = &read {
            self.connection.set_received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> ControlledStream<S> {
    /// Writes these bytes, or whatever else a writer waits for. Nothing is registered unless there is something to wait
    /// for: each delivered message comes through here.
    fn as_writer(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let mut written = write(Pin::new(&mut self.stream), cx);
        if written.is_pending() {
            self.connection.wake_writer_with(cx.waker());
            // Asked again after registering, so that an end in between is not missed.
            self.check()?;
            if let Some(deadline) = &mut self.deadline {
                written = deadline.poll_wait(cx, &self.stream, bytes);
                if let Poll::Ready(Err(_)) = &written {
                    self.connection.stall();
                }
            }
        } else if let Some(deadline) = &mut self.deadline {
            deadline.progressed();
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ControlledStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.as_writer(cx, bytes, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.as_writer(cx, first, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_writer(cx, &[], |stream, cx| stream.poll_flush(cx).map_ok(|()| 0)).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_writer(cx, &[], |stream, cx| stream.poll_shutdown(cx).map_ok(|()| 0)).map_ok(|_| ())
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
    use crate::connection::Connection;

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
}
