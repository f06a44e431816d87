//! The HTTP responses to requests that are refused.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use roomwire_core::{Error, ErrorCode};
use serde_json::json;

use crate::{oversized_head::OversizedHead, request::BadRequest};

/// 503 with the code and message as JSON.
pub(crate) fn unavailable(error: &Error) -> Response<Body> {
    (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
}

/// The response to a new session while the node drains. The client's next attempt may reach another node.
pub(crate) fn draining() -> Response<Body> {
    let problem = "This node is shutting down; connect again in a second, and another node answers";
    let mut response = unavailable(&Error::with_message(ErrorCode::ShuttingDown, problem));
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    // A proxy that keeps this connection would use it for further attempts.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The response while the service is switched off.
pub(crate) fn disabled() -> Response<Body> {
    unavailable(&Error::with_message(ErrorCode::ShuttingDown, "The service is switched off (enabled: false)"))
}

/// 429 with the code and message as JSON, and in `Retry-After` the seconds to wait when they are known.
pub(crate) fn too_many(error: &Error) -> Response<Body> {
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response();
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_millis().div_ceil(1000);
        if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
    }
    response
}

/// 403, with what to do about it.
pub(crate) fn forbidden(advice: String) -> Response<Body> {
    (StatusCode::FORBIDDEN, Json(Error::with_message(ErrorCode::Forbidden, advice))).into_response()
}

/// 431: more headers than `limits.headers`, or a larger head than `limits.headerBytes`.
pub(crate) fn head_too_large(oversized: OversizedHead) -> Response<Body> {
    let problem = match oversized {
        OversizedHead::Headers => "The request has more headers than limits.headers allows",
        OversizedHead::Bytes => {
            "The head of the request is larger than limits.headerBytes allows; are there large cookies?"
        }
    };
    let error = Error::with_message(ErrorCode::LimitExceeded, problem);
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Json(error)).into_response()
}

/// 413: a larger body than an event within `limits.payload` can have.
pub(crate) fn payload_too_large() -> Response<Body> {
    let error = Error::with_message(ErrorCode::PayloadTooLarge, "The request is larger than limits.payload allows");
    (StatusCode::PAYLOAD_TOO_LARGE, Json(error)).into_response()
}

/// 400 for an unknown session, in the words of the reference server. Clients open a new session.
pub(crate) fn unknown_session() -> Response<Body> {
    engine_error(1, "Session ID unknown")
}

/// 400 for a request that does not fit its session.
pub(crate) fn bad_request(message: &str) -> Response<Body> {
    engine_error(3, message)
}

/// 400 for a websocket handshake of another version, or without a valid key.
pub(crate) fn websocket_handshake() -> Response<Body> {
    let mut response = bad_request("Bad request: a websocket needs Sec-WebSocket-Version 13 and a key of 16 bytes");
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// The codes and messages are those of the reference server.
impl IntoResponse for BadRequest {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::UnknownTransport => engine_error(0, "Transport unknown"),
            Self::HandshakeMethod | Self::Method => engine_error(2, "Bad handshake method"),
            Self::UnsupportedVersion => engine_error(5, "Unsupported protocol version"),
            Self::Jsonp => bad_request("Bad request: JSONP polling is not supported"),
            Self::NoWebsocket => bad_request("Bad request"),
            Self::WebsocketHandshake => websocket_handshake(),
        }
    }
}

fn engine_error(code: u8, message: &str) -> Response<Body> {
    (StatusCode::BAD_REQUEST, Json(json!({ "code": code, "message": message }))).into_response()
}

/// 408: the body did not come in time. The connection ends.
pub(crate) fn body_timeout() -> Response<Body> {
    let problem = "The request's body did not come within limits.handshakeTimeout";
    let mut response =
        (StatusCode::REQUEST_TIMEOUT, Json(Error::with_message(ErrorCode::Timeout, problem))).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
