//! A byte stream that can be ended and paused from outside.

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
    message_limit::{MessageLimit, Verdict},
    outbox::{CLOSE_PACKET, Frames, Outbox},
    write_deadline::{Probe, WriteDeadline, stalled},
};

/// A stream under the control of a [`Connection`].
pub(crate) struct ControlledStream<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Called when the stream is dropped: the connection is over.
    on_end: Option<Box<dyn FnOnce() + Send>>,
    deadline: Option<WriteDeadline<S>>,
    /// For a websocket, the counter of its messages and the outbox that they come from.
    outlet: Option<(Frames, Arc<Outbox>)>,
    /// Bounds the messages of a websocket.
    inlet: Option<Inlet>,
}

/// The largest message, and what is called for a larger one.
struct Inlet {
    limit: MessageLimit,
    on_oversized: Box<dyn Fn() + Send>,
}

impl<S> ControlledStream<S> {
    pub(crate) fn new(stream: S, connection: Arc<Connection>, on_end: Option<Box<dyn FnOnce() + Send>>) -> Self {
        Self { stream, connection, on_end, deadline: None, outlet: None, inlet: None }
    }

    /// Ends the connection when nothing could be written for so long. The probe tells a peer that reads slowly from one
    /// that does not read.
    pub(crate) fn with_deadline(mut self, patience: Duration, probe: Option<Probe<S>>) -> Self {
        self.deadline = Some(WriteDeadline::new(patience, probe));
        self
    }

    /// Tells the outbox of a session what was written, and when that could not be done in time.
    pub(crate) fn with_outbox(mut self, outbox: Arc<Outbox>) -> Self {
        self.outlet = Some((Frames::default(), outbox));
        self
    }

    /// Closes the connection, and calls this, for a message of more bytes.
    pub(crate) fn with_message_limit(mut self, max: usize, on_oversized: impl Fn() + Send + 'static) -> Self {
        self.inlet = Some(Inlet { limit: MessageLimit::new(max), on_oversized: Box::new(on_oversized) });
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

    /// Something was not done in time, here or below.
    fn note(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::TimedOut
            && let Some((_, outbox)) = &self.outlet
        {
            outbox.timed_out();
        }
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
        let Self { stream, inlet, connection, .. } = &mut *self;
        let read = match inlet {
            None => Pin::new(stream).poll_read(cx, buffer),
            Some(inlet) => inlet.poll_read(Pin::new(stream), cx, buffer, connection),
        };
        match &read {
            Poll::Ready(Ok(())) => self.connection.set_received(),
            Poll::Ready(Err(error)) => self.note(error),
            Poll::Pending => {}
        }
        read
    }
}

impl Inlet {
    fn poll_read<S: AsyncRead>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        connection: &Connection,
    ) -> Poll<io::Result<()>> {
        loop {
            let close = self.limit.close_frame(buffer.remaining());
            if !close.is_empty() {
                buffer.put_slice(&close);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            std::task::ready!(stream.as_mut().poll_read(cx, buffer))?;
            let bytes = &buffer.filled()[before..];
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let was_discarding = self.limit.is_discarding();
            let verdict = self.limit.read(bytes);
            if verdict != Verdict::Pass && !was_discarding {
                connection.set_oversized();
                (self.on_oversized)();
            }
            match verdict {
                Verdict::Pass | Verdict::TooLarge => return Poll::Ready(Ok(())),
                Verdict::Cut(at) => {
                    buffer.set_filled(before + at);
                    if at > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
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
        match &written {
            Poll::Ready(Ok(count)) => {
                if let Some((frames, outbox)) = &mut self.outlet {
                    outbox.wrote(frames.read(&bytes[..*count]));
                }
            }
            Poll::Ready(Err(error)) => self.note(error),
            Poll::Pending => {}
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ControlledStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The packet is for clients that poll. On a websocket some clients take it for the end of all attempts to
        // reconnect; the close frame that the engine sends next says enough.
        if let Some(begin) = self.outlet.as_ref().and_then(|(frames, _)| frames.find_close_packet(bytes)) {
            if begin == 0 {
                return Poll::Ready(Ok(CLOSE_PACKET.len()));
            }
            bytes = &bytes[..begin];
        }
        self.as_writer(cx, bytes, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        if self.outlet.is_some() {
            return self.poll_write(cx, first);
        }
        self.as_writer(cx, first, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.outlet.is_none() && self.stream.is_write_vectored()
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
