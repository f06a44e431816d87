//! Upgrades an HTTP connection to a websocket.

use axum::{body::Body, response::IntoResponse};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use roomwire_core::Escaped;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{connection::Connection, rejection, stream::ControlledStream, write_deadline::HasWriteDeadline};

use std::{sync::Arc, time::Duration};

/// The stream of an upgraded connection.
pub(crate) type UpgradedStream = ControlledStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Accepts a websocket, and calls `serve` with it when the connection was upgraded.
///
/// Of the subprotocols that a client offers, the first is chosen, as the reference server does.
pub(crate) fn accept<F>(
    mut request: Request<Body>,
    write_timeout: Duration,
    serve: impl FnOnce(UpgradedStream) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send,
{
    let Some(headers) = response_headers(request.headers()) else {
        return rejection::websocket_handshake();
    };
    // The listener's own connections have a deadline already, and one that sees more.
    let patience = request.extensions().get::<HasWriteDeadline>().is_none().then_some(write_timeout);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "a websocket was not established");
                return;
            }
        };
        let mut stream = ControlledStream::new(TokioIo::new(upgraded), Arc::new(Connection::default()), None);
        if let Some(patience) = patience {
            stream = stream.with_deadline(patience, None);
        }
        serve(stream).await;
    });
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

fn response_headers(request: &HeaderMap) -> Option<HeaderMap> {
    let accept = derive_accept_key(request.get(header::SEC_WEBSOCKET_KEY)?.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).ok()?);
    let protocols = request.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|protocols| protocols.to_str().ok());
    if let Some(first) =
        protocols.and_then(|protocols| protocols.split(',').map(str::trim).find(|name| !name.is_empty()))
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::try_from(first).ok()?);
    }
    Some(headers)
}
