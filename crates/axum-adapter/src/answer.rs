//! HTTP answers that refuse a request with one of the service's codes.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use roomwire_core::{Error, ErrorCode};

/// 503 with the code and message as JSON.
pub(crate) fn unavailable(error: &Error) -> Response<Body> {
    (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
}

/// The answer while the service is switched off.
pub(crate) fn disabled() -> Response<Body> {
    unavailable(&Error::with_message(ErrorCode::ShuttingDown, "The service is switched off (enabled: false)"))
}
