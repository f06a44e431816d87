//! The HTTP status of each error code.

use http::StatusCode;
use roomwire_core::ErrorCode;

/// The path does not exist.
pub(crate) const ROUTE_NOT_FOUND: &str = "ROUTE_NOT_FOUND";
/// The path exists, and has no such method.
pub(crate) const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// The body is no JSON by its content type.
pub(crate) const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
/// No gateway serves the namespace.
pub(crate) const NAMESPACE_NOT_FOUND: &str = "NAMESPACE_NOT_FOUND";
/// The idempotency key was used for another request.
pub(crate) const IDEMPOTENCY_KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";

/// A configuration was not reloaded.
pub(crate) const CONFIG_REFUSED: &str = "CONFIG_REFUSED";
/// The only node is asked to drain.
pub(crate) const LAST_NODE: &str = "LAST_NODE";

/// The codes of the API alone: status and title.
pub(crate) const OWN: [(&str, StatusCode, &str); 7] = [
    (ROUTE_NOT_FOUND, StatusCode::NOT_FOUND, "No such path"),
    (METHOD_NOT_ALLOWED, StatusCode::METHOD_NOT_ALLOWED, "No such method for this path"),
    (UNSUPPORTED_MEDIA_TYPE, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON"),
    (NAMESPACE_NOT_FOUND, StatusCode::NOT_FOUND, "No such namespace"),
    (IDEMPOTENCY_KEY_REUSED, StatusCode::UNPROCESSABLE_ENTITY, "Idempotency key was used for another request"),
    (CONFIG_REFUSED, StatusCode::CONFLICT, "The configuration stays as it is"),
    (LAST_NODE, StatusCode::CONFLICT, "The last node does not drain"),
];

/// The status of an error.
pub(crate) fn of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::RoomFull | ErrorCode::RoomClosed | ErrorCode::NotInRoom | ErrorCode::Superseded => {
            StatusCode::CONFLICT
        }
        ErrorCode::RoomNotFound | ErrorCode::ClientNotFound | ErrorCode::NodeNotFound | ErrorCode::UnknownEvent => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::Unauthorized | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::InvalidPayload | ErrorCode::InvalidName | ErrorCode::LimitExceeded => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::MaxConnections | ErrorCode::StateUnavailable | ErrorCode::StateRefused | ErrorCode::ShuttingDown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Application(own) => OWN
            .iter()
            .find(|(code, ..)| *code == own)
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status, _)| *status),
        // Also codes that are added later.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The title of a problem.
pub(crate) fn title(code: ErrorCode) -> &'static str {
    let own = OWN.iter().find(|(own, ..)| *own == code.as_str());
    own.map_or_else(|| code.default_message(), |(_, _, title)| title)
}

#[cfg(test)]
mod tests {
    use roomwire_core::ErrorCode;

    use super::{OWN, of, title};

    const PAGE: &str = include_str!("../../../docs/http-api.md");

    #[test]
    fn the_documentation_lists_every_code_with_its_status_in_the_order_of_the_codes() {
        let section =
            PAGE.split("\n## Errors\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
        let shown: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let codes = ErrorCode::ALL.into_iter().chain(OWN.map(|(code, ..)| ErrorCode::Application(code)));
        let rows: Vec<_> =
            codes.map(|code| format!("| `{code}` | {} | {} |", of(code).as_u16(), title(code))).collect();
        assert_eq!(shown, rows, "docs/http-api.md should have this table:\n{}", rows.join("\n"));
    }

    #[test]
    fn a_code_that_can_succeed_later_has_a_status_that_says_so_and_only_bugs_are_500() {
        for code in ErrorCode::ALL {
            let status = of(code).as_u16();
            if code.is_retryable() {
                assert!(matches!(status, 409 | 429 | 503 | 504), "{code}: {status}");
            }
            assert_eq!(status == 500, code == ErrorCode::Internal, "{code}: {status}");
        }
    }
}
