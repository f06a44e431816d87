//! HTTP answers that refuse a request with one of the service's codes.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use roomwire_core::{Error, ErrorCode};

/// 503 with the code and message as JSON.
pub(crate) fn unavailable(error: &Error) -> Response<Body> {
    (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
}

/// The answer while the service is switched off.
pub(crate) fn disabled() -> Response<Body> {
    unavailable(&Error::with_message(ErrorCode::ShuttingDown, "The service is switched off (enabled: false)"))
}

/// 429 with the code and message as JSON, and in `Retry-After` how many seconds to wait when that is known.
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

/// 403 with the code and message as JSON.
pub(crate) fn forbidden(error: &Error) -> Response<Body> {
    (StatusCode::FORBIDDEN, Json(error)).into_response()
}

/// 431: more headers than `limits.headers`, or larger ones than `limits.headerBytes`.
pub(crate) fn head_too_large() -> Response<Body> {
    let error = Error::with_message(ErrorCode::LimitExceeded, "The request has too many headers, or too large ones");
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Json(error)).into_response()
}

/// What the engine answers for a session that it does not know, to the byte.
pub(crate) fn unknown_session() -> Response<Body> {
    const UNKNOWN: &str = r#"{"code":"1","message":"Session ID unknown"}"#;
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], UNKNOWN).into_response()
}

/// 408, and the end of the connection: the body did not come in time.
pub(crate) fn late() -> Response<Body> {
    let error = Error::with_message(ErrorCode::Timeout, "The request's body did not come in time");
    let mut response = (StatusCode::REQUEST_TIMEOUT, Json(error)).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
