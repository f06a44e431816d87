//! The connection of a websocket: frames in and out, and the deadlines of its session.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use roomwire_core::config::Transport;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frame_reader::{FrameError, FrameReader, Received},
    frame_writer::FrameWriter,
};
use crate::session::{Ending, Problem, Session};

/// How much is read at once.
const READ: usize = 16_384;

/// A websocket of a server.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) stream: S,
    reader: FrameReader,
    pub(super) writer: FrameWriter,
    /// What was read with a probe and follows it.
    unread: Bytes,
}

/// Why a websocket is to be closed.
#[derive(Debug)]
pub(super) enum Closed {
    BySession(Ending),
    /// By a close frame with this code.
    ByClient(Option<u16>),
    /// Without one.
    Broken(io::Error),
    /// The client sent something that is not allowed.
    Rejected(FrameError),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<FrameError> for Closed {
    fn from(error: FrameError) -> Self {
        Self::Rejected(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, session: &Session) -> Self {
        let (limits, takes_base64) = (session.inner().settings.limits, session.inner().request.takes_base64());
        let reader = FrameReader::new(if takes_base64 { limits.body } else { limits.message });
        let writer = FrameWriter::new(takes_base64);
        Self { stream, reader, writer, unread: Bytes::new() }
    }

    /// Carries the messages of a session, both ways, until the websocket is to be closed.
    pub(super) async fn run(&mut self, session: &Session) -> Closed {
        let mut timer = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| self.poll_run(cx, session, timer.as_mut())).await
    }

    fn poll_run(&mut self, cx: &mut Context<'_>, session: &Session, mut timer: Pin<&mut Sleep>) -> Poll<Closed> {
        let inner = session.inner();
        // Registered before anything is looked at, so that a change in between is not missed.
        inner.outbox.wake_transport_with(Transport::Websocket, cx.waker());
        loop {
            while session.has_new_deadline() || timer.as_mut().poll(cx).is_ready() {
                timer.as_mut().reset(session.check_deadlines());
            }
            if let Some(ending) = session.ending() {
                return Poll::Ready(Closed::BySession(ending));
            }
            let written =
                self.writer.poll_write(Pin::new(&mut self.stream), cx, &inner.outbox, || session.note_activity());
            if let Poll::Ready(Err(error)) = written {
                return Poll::Ready(error.into());
            }
            if inner.read_gate.is_paused() {
                return Poll::Pending;
            }
            if let Err(closed) = ready!(self.poll_read(cx, session)) {
                return Poll::Ready(closed);
            }
        }
    }

    /// Reads once, and handles all messages that end in what was read.
    fn poll_read(&mut self, cx: &mut Context<'_>, session: &Session) -> Poll<Result<(), Closed>> {
        let mut storage = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut storage);
        ready!(self.poll_fill(cx, &mut buffer))?;
        session.note_activity();
        let mut bytes = buffer.filled();
        while let Some(received) = self.reader.read(&mut bytes)? {
            let handled = match received {
                Received::Text(text) => session.receive_text(&text),
                Received::Binary(attachment) => session.receive_binary(attachment),
                Received::Ping(payload) => {
                    self.writer.pong(payload);
                    Ok(())
                }
                Received::Pong => Ok(()),
                Received::Close(code) => return Poll::Ready(Err(Closed::ByClient(code))),
            };
            if let Err(problem) = handled {
                session.end_for(&problem);
            }
            if let Some(ending) = session.ending() {
                return Poll::Ready(Err(Closed::BySession(ending)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..length]);
            self.unread.advance(length);
        }
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// The next message; `None` for frames that cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<Option<Received>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Received>>> {
        loop {
            let mut storage = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut storage);
            ready!(self.poll_fill(cx, &mut buffer))?;
            let mut bytes = buffer.filled();
            let received = self.reader.read(&mut bytes);
            if !bytes.is_empty() {
                self.unread = [bytes, &self.unread].concat().into();
            }
            match received {
                Ok(None) => {}
                Ok(received) => return Poll::Ready(Ok(received)),
                Err(_) => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Writes bytes that are not a message of the session.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

impl Session {
    /// Ends the session for frames that it may not send.
    pub(super) fn end_for_frame(&self, error: FrameError, reason: &'static str) {
        if error == FrameError::TooLarge {
            self.end_for_size();
        } else {
            self.end_for(&Problem::Engine(reason));
        }
    }
}
