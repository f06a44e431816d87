//! The kinds of requests to the service's path.

use http::{HeaderMap, Method, Request, header};

/// A request, as far as the layer must understand it; the engine reads the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A new session, over HTTP requests.
    NewPolling,
    /// A new session, over a websocket.
    NewWebsocket,
    /// A session moves to a websocket.
    Upgrade {
        /// Which session.
        session: String,
    },
    /// Packets that a client sends.
    Post {
        /// Which session.
        session: String,
    },
    /// A websocket without a websocket handshake.
    NoWebsocket,
    /// A client asks for its packets.
    Poll {
        /// Which session.
        session: String,
    },
    /// Anything else. The engine refuses it.
    Other,
}

impl RequestKind {
    /// Reads method, query and headers.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let session = parameter(query, "sid").map(str::to_owned);
        let is_new = word(query, "EIO") == Some("4");
        let transport = word(query, "transport");
        match (request.method(), transport, session) {
            (&Method::GET, Some("websocket"), _) if !wants_websocket(request.headers()) => Self::NoWebsocket,
            (&Method::GET, Some("websocket"), session) if is_new => {
                session.map_or(Self::NewWebsocket, |session| Self::Upgrade { session })
            }
            (&Method::GET, Some("polling"), None) if is_new => Self::NewPolling,
            (&Method::GET, Some("polling"), Some(session)) => Self::Poll { session },
            (&Method::POST, _, Some(session)) => Self::Post { session },
            _ => Self::Other,
        }
    }
}

/// Whether a path is the service's or below it.
pub(crate) fn is_for(path: &str, service_path: &str) -> bool {
    path.strip_prefix(service_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A parameter as the engine reads it, up to another `=`. A new session that only the engine recognised would not be
/// counted.
fn word<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    parameter(query, name)?.split('=').next()
}

fn wants_websocket(headers: &HeaderMap) -> bool {
    let names = |header, wanted: &str| {
        headers
            .get_all(header)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    names(header::UPGRADE, "websocket")
        && names(header::CONNECTION, "upgrade")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{RequestKind, is_for};

    fn kind(method: &str, query: &str, websocket: bool) -> RequestKind {
        let mut request = Request::builder().method(method).uri(format!("/socket.io/?{query}"));
        if websocket {
            request = request
                .header("upgrade", "WebSocket")
                .header("connection", "keep-alive, Upgrade")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        RequestKind::of(&request.body(()).expect("valid"))
    }

    #[test]
    fn each_kind_of_request_is_told_apart() {
        let session = "AAAAAAAAAAAAAAAA".to_owned();
        assert_eq!(kind("GET", "EIO=4&transport=polling", false), RequestKind::NewPolling);
        assert_eq!(kind("GET", "EIO=4&transport=websocket", true), RequestKind::NewWebsocket);
        assert_eq!(kind("GET", "EIO=4&transport=websocket", false), RequestKind::NoWebsocket);
        assert_eq!(kind("GET", "transport=polling", false), RequestKind::Other);
        assert_eq!(
            kind("GET", "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA", true),
            RequestKind::Upgrade { session: session.clone() }
        );
        let poll = kind("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", false);
        assert_eq!(poll, RequestKind::Poll { session: session.clone() });
        assert_eq!(kind("POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", false), RequestKind::Post { session });
    }

    #[test]
    fn only_the_service_path_and_what_is_below_belongs_to_it() {
        for (path, belongs) in [("/socket.io", true), ("/socket.io/", true), ("/socket.iox", false), ("/", false)] {
            assert_eq!(is_for(path, "/socket.io"), belongs, "{path}");
        }
    }
}
