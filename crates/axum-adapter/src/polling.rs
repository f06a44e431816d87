//! HTTP long-polling: the requests of a session and their responses.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use http::{Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use roomwire_core::ErrorCode;
use roomwire_socketio::{Delivery, PollResponse, Rejected, Session};

use crate::{body_timeout, rejection};

/// In which pieces a body is handed to the server, each when there is room for it.
const PIECE: usize = 16_384;

/// Why the packets in a body were not handled. The session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBody {
    TooLarge,
    /// It did not arrive in time.
    Late,
    /// It ended too early, or is not Engine.IO.
    Rejected,
}

/// A body that is being read and handled. If that is interrupted, packets are lost.
struct Reading<'a> {
    session: &'a Session,
    is_over: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.body_lost(false);
        }
    }
}

/// The response to a handshake.
pub(crate) fn opened(session: &Session) -> Response<Body> {
    text(session.open_packet())
}

/// The response to a poll, once there is one.
pub(crate) async fn poll(session: &Session) -> Response<Body> {
    match session.poll().await {
        PollResponse::Messages(body, delivery) => text(Body::new(PollBody { rest: body, delivery })),
        PollResponse::Noop => text("6"),
        PollResponse::Close => text("1"),
        PollResponse::Unknown => rejection::unknown_session(),
        PollResponse::ShuttingDown => rejection::unavailable(&ErrorCode::ShuttingDown.into()),
        PollResponse::Rejected => rejection::bad_request("Bad request"),
    }
}

/// Reads a body within this time, and handles its packets. Each part of it is a sign of life.
pub(crate) async fn post(session: &Session, body: Body, patience: Duration) -> Result<Response<Body>, BadBody> {
    // A body is not read before the former one was handled.
    let turn = session.next_body().await;
    let mut reading = Reading { session, is_over: false };
    let (body, late) = body_timeout::body(body, patience);
    let active = session.clone();
    let parts = body.map_frame(move |frame| {
        active.note_activity();
        frame
    });
    let body = Limited::new(parts, session.max_body()).collect().await.map_err(|error| {
        let problem = match () {
            () if error.is::<LengthLimitError>() => BadBody::TooLarge,
            () if late.is_so() => BadBody::Late,
            () => return BadBody::Rejected,
        };
        reading.is_over = true;
        session.body_lost(true);
        problem
    })?;
    let received = turn.receive(body.to_bytes()).await;
    reading.is_over = true;
    received.map_err(|Rejected| BadBody::Rejected)?;
    Ok(([(header::CONTENT_TYPE, "text/html"), (header::CACHE_CONTROL, "no-store")], "ok").into_response())
}

/// A response with packets. It contains messages, so caches must not store it.
fn text(body: impl Into<Body>) -> Response<Body> {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=UTF-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, body.into()).into_response()
}

/// A body with messages, which reports how far the client reads it.
struct PollBody {
    rest: Bytes,
    delivery: Delivery,
}

impl hyper::body::Body for PollBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.rest.is_empty() {
            self.delivery.complete();
        } else {
            self.delivery.progressed();
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
