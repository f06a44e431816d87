//! Errors as problem details (RFC 9457).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use roomwire_core::{Error, ErrorCode, Escaped, NameError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::status;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// The URI of a problem's type, before its code.
const TYPE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/http-api.md#");

/// Why a request failed, by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// The URI of the problem's type: one for each code.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    kind: String,
    /// The problem's type in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened in this case.
    detail: String,
    /// The stable code of the error, as clients of the service get it.
    code: &'static str,
    /// The invalid field of the body or of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// The time to wait before a retry, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<u64>,
}

impl Problem {
    /// The problem with a code of the API's own.
    pub(crate) fn own(code: &'static str, detail: impl Into<String>) -> Self {
        Self::from(Error::application(code, detail.into()))
    }

    /// The same problem with another status than that of its code.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status: status.as_u16(), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = error.code();
        if code == ErrorCode::Internal {
            // The answer does not say why.
            tracing::warn!(target: "roomwire", error = %Escaped(format!("{error:?}")), "a request to the HTTP API failed");
        }
        Self {
            kind: format!("{TYPE}{code}"),
            title: status::title(code),
            status: status::of(code).as_u16(),
            detail: error.message().to_owned(),
            code: code.as_str(),
            field: error.field().map(str::to_owned),
            retry_after_ms: error.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::from(Error::from(error))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_ms.map(|millis| HeaderValue::from(millis.div_ceil(1000)));
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;
    use http::header;
    use roomwire_core::{Error, ErrorCode};

    use super::{MEDIA_TYPE, Problem};

    #[test]
    fn a_problem_has_the_code_the_text_and_the_time_to_wait_and_never_the_source() {
        let error =
            Error::new(ErrorCode::RateLimited).with_retry_after(Duration::from_millis(1500)).with_source("secret");
        let problem = Problem::from(error);
        let json = serde_json::to_value(&problem).expect("serializes");
        assert_eq!(
            json,
            serde_json::json!({
                "type": "https://github.com/roomwire/roomwire/blob/main/docs/http-api.md#RATE_LIMITED",
                "title": "Too many requests",
                "status": 429,
                "detail": "Too many requests",
                "code": "RATE_LIMITED",
                "retryAfterMs": 1500,
            })
        );
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
