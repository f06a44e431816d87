//! The body of a long-polling response, and whether the client reads it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::{Outbox, frames::is_ours};

/// In which pieces an answer is handed to the server, each when there is room for it.
const PIECE: usize = 16_384;

/// What separates packets in a body.
const SEPARATOR: u8 = 0x1e;

/// The same body, which reports to the outbox how far the client read it.
pub(crate) fn polling_body(body: Bytes, outbox: Arc<Outbox>) -> Body {
    let frames =
        body.split(|byte| *byte == SEPARATOR).filter(|packet| is_ours(packet) || packet.first() == Some(&b'b'));
    let frames = u32::try_from(frames.count()).unwrap_or(u32::MAX);
    Body::new(PollingBody { rest: body, frames, outbox })
}

struct PollingBody {
    rest: Bytes,
    frames: u32,
    outbox: Arc<Outbox>,
}

impl hyper::body::Body for PollingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.rest.is_empty() {
            let frames = std::mem::take(&mut self.frames);
            self.outbox.answered(frames);
        } else {
            self.outbox.moved();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for PollingBody {
    fn drop(&mut self) {
        // The engine believes that these messages were sent. Nothing may follow a gap.
        if self.frames > 0 {
            self.outbox.break_off();
        }
    }
}
