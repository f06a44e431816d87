//! The one error type of Roomwire's public API.

use std::{borrow::Cow, convert::Infallible, error::Error as StdError, fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{ErrorCode, NameError, StateError, escaped::EscapedWhole};

/// A failure, with a stable [`ErrorCode`] and a message for people.
///
/// The serialized form is what a client receives: `{"code", "message"}`, with `field` for [`ErrorCode::InvalidPayload`]
/// and `retryAfterMs` for [`ErrorCode::RateLimited`]. The source is never serialized: it is for the log. `Debug` writes
/// code, message and every source on one line, because a `main` that returns this error prints it by `Debug`.
///
/// ```
/// use roomwire_core::{Error, ErrorCode};
///
/// let error = Error::new(ErrorCode::RoomFull);
/// assert_eq!(error.to_string(), "Room is full");
/// assert_eq!(serde_json::to_string(&error)?, r#"{"code":"ROOM_FULL","message":"Room is full"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: Cow<'static, str>,
    field: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with the default message of its code.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self::with_message(code, code.default_message())
    }

    /// An error with a custom message. The client receives the message, so it must not contain secrets.
    #[must_use]
    pub fn with_message(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), field: None, retry_after: None, source: None }))
    }

    /// An application-defined error, with a code such as `NOT_YOUR_TURN`.
    #[must_use]
    pub fn application(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(ErrorCode::Application(code), message)
    }

    /// [`ErrorCode::Internal`]: the client gets only the code, the log gets the source.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Internal).with_source(source)
    }

    /// [`ErrorCode::InvalidPayload`] about one field, given as a path such as `user.name` or `[2]`.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, problem: &str) -> Self {
        let field = field.into();
        let message = format!("{field}: {problem}");
        let mut error = Self::with_message(ErrorCode::InvalidPayload, message);
        error.0.field = Some(field);
        error
    }

    /// Adds the cause; it is logged, never sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Adds the time to wait before a retry; sent as `retryAfterMs`.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The message for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The invalid field of the payload, if there is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The time to wait before a retry, if it is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same request can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}: {}", self.code(), self.message());
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            let words = cause.to_string();
            // Some errors repeat the text of their source.
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            source = cause.source();
        }
        write!(f, "{}", EscapedWhole(&text))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code().as_str())?;
        map.serialize_entry("message", self.message())?;
        if let Some(field) = self.field() {
            map.serialize_entry("field", field)?;
        }
        if let Some(wait) = self.retry_after() {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            map.serialize_entry("retryAfterMs", &millis)?;
        }
        map.end()
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::with_message(ErrorCode::InvalidName, error.to_string())
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::RoomFull => Self::new(ErrorCode::RoomFull),
            StateError::RoomClosed => Self::new(ErrorCode::RoomClosed),
            StateError::RoomNotFound => Self::new(ErrorCode::RoomNotFound),
            StateError::RoomExists => Self::with_message(ErrorCode::Forbidden, "Room exists already"),
            StateError::ClientNotFound => Self::new(ErrorCode::ClientNotFound),
            StateError::OutOfMemory => {
                Self::with_message(ErrorCode::LimitExceeded, "Shared state has no memory left").with_source(error)
            }
            StateError::TooLarge { .. } => Self::new(ErrorCode::PayloadTooLarge).with_source(error),
            StateError::Fenced | StateError::Unavailable(_) => {
                Self::new(ErrorCode::StateUnavailable).with_source(error)
            }
            StateError::Refused(_) => Self::new(ErrorCode::StateRefused).with_source(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, time::Duration};

    use super::{Error, ErrorCode, StateError};
    use crate::Refusal;

    #[test]
    fn a_client_sees_code_message_field_and_wait_but_never_the_source() {
        let error = Error::invalid_field("user.name", "expected a string")
            .with_retry_after(Duration::from_millis(1500))
            .with_source("password=hunter2");
        let json = serde_json::to_string(&error).expect("serializes");
        assert_eq!(
            json,
            r#"{"code":"INVALID_PAYLOAD","message":"user.name: expected a string","field":"user.name","retryAfterMs":1500}"#
        );
        assert_eq!(error.source().expect("kept for the log").to_string(), "password=hunter2");
    }

    #[test]
    fn a_main_that_returns_it_prints_one_line_with_the_code_the_message_and_each_cause_once() {
        let error = Error::from(StateError::unavailable("no route\r\nto Redis"));
        assert_eq!(
            format!("{error:?}"),
            r"STATE_UNAVAILABLE: Shared state cannot be reached, try again later: backend cannot be reached: no route\r\nto Redis"
        );
    }

    #[test]
    fn a_refusal_reaches_the_log_and_the_client_sees_neither_key_nor_right() {
        let refusal = Refusal {
            what: "script join".into(),
            code: "WRONGTYPE".to_owned(),
            meaning: "a key is not as this service wrote it",
            words: "WRONGTYPE Operation against a key (HGET {roomwire:0}:m:/,secret)".to_owned(),
        };
        let error = Error::from(StateError::Refused(refusal));
        assert_eq!(
            serde_json::to_string(&error).expect("serializes"),
            r#"{"code":"STATE_REFUSED","message":"Shared state refused this, try again later"}"#
        );
        assert!(format!("{error:?}").contains("(HGET {roomwire:0}:m:/,secret)"), "{error:?}");
    }

    #[test]
    fn an_application_may_use_codes_of_its_own() {
        let error = Error::application("NOT_YOUR_TURN", "Wait for the other player");
        assert_eq!(error.code(), ErrorCode::Application("NOT_YOUR_TURN"));
        assert_eq!(error.code().as_str(), "NOT_YOUR_TURN");
    }
}
