//! Writes queued messages as websocket frames.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use roomwire_core::{
    config::Transport,
    packet::{TextFrame, frame_head},
};
use tokio::io::AsyncWrite;

use crate::outbox::{Batch, Message, Outbox};

/// How many bytes are taken from the queue at once.
const BATCH: usize = 65_536;

/// Frames up to this size are copied, so that one call writes several. Larger ones are written from where they are.
const COPIED: usize = 4096;

const BINARY: u8 = 0x82;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

/// The frames of one websocket that are being written. Uses no memory while nothing waits.
#[derive(Debug, Default)]
pub(crate) struct FrameWriter {
    current: Bytes,
    next: VecDeque<Bytes>,
    /// Frames that are copied into one piece.
    copied: Vec<u8>,
    needs_flush: bool,
    is_blocked: bool,
    /// What was taken from the queue and is being written, unless a write had to wait.
    batch: Option<Batch>,
    /// The client takes no binary frames.
    writes_base64: bool,
    /// The payload of a ping that is to be answered.
    pong: Option<Bytes>,
}

impl FrameWriter {
    /// For a client that takes binary frames, or attachments as base64 texts.
    pub(crate) fn new(writes_base64: bool) -> Self {
        Self { writes_base64, ..Self::default() }
    }

    /// Writes the messages of the queue. Ready when all are written and flushed. Calls `on_progress` when a write that
    /// had to wait goes on.
    ///
    /// # Errors
    /// Those of the stream.
    pub(crate) fn poll_write(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
        outbox: &Outbox,
        mut on_progress: impl FnMut(),
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.current.is_empty() || self.next_piece() {
                let Poll::Ready(written) = stream.as_mut().poll_write(cx, &self.current)? else {
                    self.is_blocked = true;
                    if let Some(batch) = self.batch.take() {
                        outbox.still_unwritten(batch);
                    }
                    return Poll::Pending;
                };
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.current.advance(written);
                self.needs_flush = true;
                // What the system buffers says nothing about the client, unless the buffer was full.
                if std::mem::take(&mut self.is_blocked) {
                    on_progress();
                }
            }
            if let Some(payload) = self.pong.take() {
                self.push_frame(PONG, &payload);
                continue;
            }
            // A message that is queued from now on wakes the task.
            if !self.batch.take().is_some_and(|batch| batch.is_last) {
                self.batch = Some(outbox.next_messages(Transport::Websocket, BATCH, |message| self.push(&message)));
            }
            if self.current.is_empty() && self.next.is_empty() && self.copied.is_empty() {
                self.batch = None;
                if self.needs_flush {
                    ready!(stream.as_mut().poll_flush(cx))?;
                    self.needs_flush = false;
                }
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Answers a ping after the frames that are being written. Of several pings that wait, the newest is answered.
    pub(crate) fn pong(&mut self, payload: Bytes) {
        self.pong = Some(payload);
    }

    /// Writes a close frame after the frames that are being written.
    pub(crate) fn close(&mut self, code: Option<u16>, reason: &str) {
        let payload = code.map_or_else(Vec::new, |code| [&code.to_be_bytes()[..], reason.as_bytes()].concat());
        self.push_frame(CLOSE, &payload.into());
    }

    fn push(&mut self, message: &Message) {
        self.push_bytes(message.text.frame());
        for attachment in message.attachments() {
            if self.writes_base64 {
                self.push_bytes(TextFrame::new(&format!("b{}", STANDARD.encode(attachment))).frame());
            } else {
                self.push_frame(BINARY, attachment);
            }
        }
    }

    fn push_frame(&mut self, first: u8, payload: &Bytes) {
        let mut head = [0; 10];
        self.copy(frame_head(first, payload.len(), &mut head));
        if payload.len() <= COPIED {
            self.copy(payload);
        } else {
            self.push_bytes(payload);
        }
    }

    /// Shares the bytes if nothing else waits or they are many, and copies them otherwise.
    fn push_bytes(&mut self, bytes: &Bytes) {
        if self.current.is_empty() && self.next.is_empty() && self.copied.is_empty() {
            self.current = bytes.clone();
        } else if bytes.len() <= COPIED {
            self.copy(bytes);
        } else {
            self.end_copied();
            self.next.push_back(bytes.clone());
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        // What is about to be written alone goes into one piece with what follows.
        if self.copied.is_empty() && self.next.is_empty() && self.current.len() <= COPIED {
            let current = std::mem::take(&mut self.current);
            self.copied.reserve(2 * COPIED);
            self.copied.extend_from_slice(&current);
        }
        self.copied.extend_from_slice(bytes);
    }

    fn end_copied(&mut self) {
        if !self.copied.is_empty() {
            self.next.push_back(std::mem::take(&mut self.copied).into());
        }
    }

    /// Begins the next piece. False when there is none.
    fn next_piece(&mut self) -> bool {
        if self.next.is_empty() {
            self.next = VecDeque::new();
            self.current = std::mem::take(&mut self.copied).into();
        } else {
            self.current = self.next.pop_front().unwrap_or_default();
        }
        !self.current.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::Pin, sync::Arc, time::Duration};

    use futures_util::{FutureExt, future::poll_fn};
    use roomwire_core::{
        Binary, Payload,
        config::Limits,
        packet::{EncodedPacket, TextFrame},
    };
    use tokio::io::AsyncReadExt;

    use super::FrameWriter;
    use crate::outbox::{Bounds, Outbox, Recipient};

    fn expected(packets: &[EncodedPacket]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for packet in packets {
            bytes.extend_from_slice(packet.message().frame());
            for attachment in packet.attachments() {
                let mut head = [0; 10];
                bytes.extend_from_slice(roomwire_core::packet::frame_head(0x82, attachment.len(), &mut head));
                bytes.extend_from_slice(attachment);
            }
        }
        bytes
    }

    #[tokio::test]
    async fn small_and_large_messages_are_written_in_order_and_without_a_gap() {
        let outbox = Outbox::new(Bounds::from(&Limits::default()));
        let recipient = Arc::new(Recipient::default());
        outbox.open(&recipient, TextFrame::from_static(b"\x81\x0240"), || {});
        let packets: Vec<EncodedPacket> = [1, 200, 5000, 3, 70_000, 4096, 4097, 10, 11, 12, 30_000]
            .into_iter()
            .flat_map(|size| {
                let text = Payload::encode(&"x".repeat(size)).expect("encodes");
                let binary = Payload::encode(&(Binary::from(vec![7; size]), Binary::from(vec![]))).expect("encodes");
                [EncodedPacket::event("/", None, "a", &text), EncodedPacket::event("/", None, "b", &binary)]
            })
            .collect();
        for packet in &packets {
            outbox.send(&recipient, packet, None).expect("has room");
        }
        for buffer in [7, 1000, 1 << 20] {
            let (mut client, mut server) = tokio::io::duplex(buffer);
            let mut writer = FrameWriter::default();
            for packet in &packets {
                outbox.send(&recipient, packet, None).expect("has room");
            }
            let outbox = &outbox;
            let writing = async {
                poll_fn(|cx| writer.poll_write(Pin::new(&mut server), cx, outbox, || {})).await.expect("written");
                writer.pong("old".into());
                writer.pong("ping".into());
                poll_fn(|cx| writer.poll_write(Pin::new(&mut server), cx, outbox, || {})).await.expect("written");
                writer.close(Some(1000), "bye");
                poll_fn(|cx| writer.poll_write(Pin::new(&mut server), cx, outbox, || {})).await.expect("written");
                assert!(
                    poll_fn(|cx| writer.poll_write(Pin::new(&mut server), cx, outbox, || {})).now_or_never().is_some()
                );
                drop(server);
            };
            let mut read = Vec::new();
            let (_, all) = tokio::time::timeout(Duration::from_secs(20), async {
                tokio::join!(writing, client.read_to_end(&mut read))
            })
            .await
            .expect("in time");
            all.expect("read");
            let end = [&b"\x8a\x04ping\x88\x05\x03\xe8bye"[..]].concat();
            let mut all = expected(&packets);
            if buffer == 7 {
                all = [&b"\x81\x0240"[..], &all, &all].concat();
            }
            assert_eq!(read, [&all[..], &end].concat(), "through a buffer of {buffer}");
            assert!(!outbox.is_behind());
        }
    }
}
