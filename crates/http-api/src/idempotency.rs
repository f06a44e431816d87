//! Requests that are sent again with the same idempotency key have their effect once.
//!
//! As the draft of the header field says: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use roomwire_core::Error;
use utoipa::IntoParams;

use crate::{api::Api, body, problem::Problem, sent_requests::Answer};

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in bytes.
const LONGEST: usize = 255;

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct IdempotencyKey {
    /// A key of the sender's choice, 1 to 255 printable ASCII characters, unique for each message. A request with the key
    /// of one that was answered in the ten minutes before, on the same node, gets the answer of that one, with
    /// `Idempotency-Replayed: true`, and sends nothing.
    #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    key: Option<String>,
}

/// Answers a request with a known key as the first one; all others are handled.
///
/// The answer is kept unless it is a failure of the server (5xx), which a retry should overcome. Requests with the same
/// key at the same time wait for the first. It is handled to its end, also if its connection breaks.
pub(crate) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    let key = match key(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => return Problem::from(error).into_response(),
    };
    let (head, body) = request.into_parts();
    let body = match body::read(body, &api).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let answer = match api.sent_requests().request(&key, (target, &*body, head.headers.get(header::CONTENT_TYPE))) {
        Ok(answer) => answer,
        Err(error) => return Problem::from(error).into_response(),
    };
    let handling = tokio::spawn(async move {
        let mut first = None;
        let handled = answer.get_or_try_init(async || {
            let response = next.run(Request::from_parts(head, Body::from(body))).await;
            let response = Answer::of(response).await;
            if response.is_failure() {
                return Err(response);
            }
            first = Some(response.clone());
            Ok(response)
        });
        match handled.await {
            Err(failure) => failure.into_response(),
            Ok(known) => {
                let known = known.clone();
                if first.is_some() {
                    api.sent_requests().keep(&key);
                }
                first.map_or_else(|| replayed(known), Answer::into_response)
            }
        }
    });
    handling.await.unwrap_or_else(|error| Problem::from(Error::internal(error)).into_response())
}

/// The key of a request.
fn key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut keys = headers.get_all(KEY).iter();
    let (Some(key), second) = (keys.next(), keys.next()) else { return Ok(None) };
    let is_allowed = (1..=LONGEST).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
    match (key.to_str(), second) {
        (Ok(key), None) if is_allowed => Ok(Some(key.to_owned())),
        _ => {
            let problem = "expected one key of 1 to 255 printable ASCII characters without spaces";
            Err(Error::invalid_field("Idempotency-Key", problem))
        }
    }
}

/// An answer that was given before.
fn replayed(answer: Answer) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
