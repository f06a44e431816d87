//! The body of a request: read within its limits, and parsed without losing anything of it.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use roomwire_core::{Error, ErrorCode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{api::Api, problem::Problem, status};

/// The longest quotation of a request in an answer, in characters.
const LONGEST_TEXT: usize = 200;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            let problem = "Send the body as JSON, with Content-Type: application/json";
            return Err(Problem::own(status::UNSUPPORTED_MEDIA_TYPE, problem));
        }
        Ok(Self(parse(&read(body, api).await?)?))
    }
}

/// Reads a whole body.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`; `TIMEOUT` with status 408; `INVALID_PAYLOAD` if the connection breaks.
pub(crate) async fn read(body: Body, api: &Api) -> Result<Bytes, Problem> {
    let reading = Limited::new(body, api.body_limit()).collect();
    let Ok(read) = timeout(api.body_timeout(), reading).await else {
        let problem = "The body did not come within limits.handshakeTimeout";
        let error = Error::with_message(ErrorCode::Timeout, problem);
        return Err(Problem::from(error).with_status(StatusCode::REQUEST_TIMEOUT));
    };
    match read {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let problem = format!("The body is larger than api.bodyLimit, {} bytes", api.body_limit());
            Err(Error::with_message(ErrorCode::PayloadTooLarge, problem).into())
        }
        Err(_) => Err(Error::with_message(ErrorCode::InvalidPayload, "The body ended early").into()),
    }
}

/// Parses a JSON object: bodies are structs, which would be read from an array of their fields too. Text within it that is kept as text ([`serde_json::value::RawValue`]) stays exactly as it was sent.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Error::with_message(ErrorCode::InvalidPayload, "The body is not a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = shortened(error.path().to_string());
        let problem = shortened(error.into_inner().to_string());
        if path == "." {
            Error::with_message(ErrorCode::InvalidPayload, format!("The body is not as expected: {problem}"))
        } else {
            Error::invalid_field(path, &problem)
        }
    })?;
    json.end()
        .map_err(|error| Error::with_message(ErrorCode::InvalidPayload, format!("The body is not JSON: {error}")))?;
    Ok(parsed)
}

/// A text that quotes a request, at its longest 200 characters: answers may be kept, and keys in bodies may be long.
pub(crate) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A value that is there, also when it is `null`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Whether the content type is `application/json` or ends with `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};

    use super::{is_json, shortened};

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("é".repeat(200)), "é".repeat(200));
        assert_eq!(shortened("é".repeat(201)), format!("{}…", "é".repeat(200)));
    }

    #[test]
    fn json_is_told_by_the_content_type() {
        let is = |value: &str| is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().expect("valid"))]));
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is(json), "{json}");
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""] {
            assert!(!is(other), "{other}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
