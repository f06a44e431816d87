//! Responses to requests by which a session begins and asks for its messages.

use std::sync::Arc;

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use http::{Response, header};
use http_body_util::BodyExt;
use roomwire_core::ClientId;
use serde::Deserialize;

use crate::{engine_session::EngineSession, outbox, rejection};

/// The packet by which a session begins, as far as it matters here.
#[derive(Deserialize)]
struct Open<'a> {
    sid: &'a str,
}

/// The answer that opens a session: it can be found by its id from now on, also before it connects to a namespace.
pub(crate) async fn opened(response: Response<Body>, engine_session: Option<Arc<EngineSession>>) -> Response<Body> {
    let Some(engine_session) = engine_session.filter(|_| response.status().is_success()) else { return response };
    let Ok((head, body)) = whole(response).await else { return rejection::unknown_session() };
    let open = body.strip_prefix(b"0").and_then(|packet| serde_json::from_slice::<Open<'_>>(packet).ok());
    if let Some(session) = open.and_then(|open| ClientId::new(open.sid).ok()) {
        engine_session.named(&session);
    }
    Response::from_parts(head, Body::from(body))
}

/// The response to a poll that waits in vain while its session moves to a websocket: the packet that says nothing.
pub(crate) fn noop() -> Response<Body> {
    ([(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], "6").into_response()
}

/// The response with messages, which reports how far the client reads it.
pub(crate) async fn polled(response: Response<Body>, engine_session: Arc<EngineSession>) -> Response<Body> {
    if !response.status().is_success() {
        return response;
    }
    let Ok((head, body)) = whole(response).await else { return rejection::unknown_session() };
    Response::from_parts(head, outbox::polling_body(body, engine_session.outbox().clone()))
}

/// The engine answers with what it has in hand: nothing is waited for.
async fn whole(response: Response<Body>) -> Result<(http::response::Parts, Bytes), axum::Error> {
    let (head, body) = response.into_parts();
    Ok((head, body.collect().await?.to_bytes()))
}
