//! The kinds of requests to the service's path, told apart as the reference server does.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, Request, header};
use roomwire_core::config::Transport;

/// A request for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A new session over HTTP long-polling.
    NewPolling,
    /// A new session over a websocket.
    NewWebsocket,
    /// A session asks to move to a websocket.
    Upgrade {
        /// The session's id.
        session: String,
    },
    /// Packets of a client.
    Post {
        /// The session's id.
        session: String,
    },
    /// A client asks for its packets.
    Poll {
        /// The session's id.
        session: String,
    },
}

/// Why a request is none of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// The transport is unknown, or not one of the configured ones.
    UnknownTransport,
    /// A session begins with GET.
    HandshakeMethod,
    /// Not revision 4 of Engine.IO: a client of Socket.IO 2 or older.
    UnsupportedVersion,
    /// JSONP, for browsers without CORS.
    Jsonp,
    /// The request names a websocket and does not ask for one.
    NoWebsocket,
    /// A websocket handshake of another version, or without a valid key.
    WebsocketHandshake,
    /// Polling is by GET and POST.
    Method,
}

impl RequestKind {
    /// Reads method, query and headers.
    ///
    /// # Errors
    /// What is wrong, if it is a request for no session.
    pub(crate) fn of<B>(request: &Request<B>, transports: &[Transport]) -> Result<Self, BadRequest> {
        let parameter = |name| parameter(request.uri().query().unwrap_or_default(), name);
        let transport = match parameter("transport").as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::Websocket,
            _ => return Err(BadRequest::UnknownTransport),
        };
        if !transports.contains(&transport) {
            return Err(BadRequest::UnknownTransport);
        }
        if parameter("j").is_some() {
            return Err(BadRequest::Jsonp);
        }
        // As in the reference server, an empty id is none.
        let session = parameter("sid").filter(|sid| !sid.is_empty()).map(Cow::into_owned);
        if session.is_none() && request.method() != Method::GET {
            return Err(BadRequest::HandshakeMethod);
        }
        if session.is_none() && parameter("EIO").as_deref() != Some("4") {
            return Err(BadRequest::UnsupportedVersion);
        }
        match (transport, session, request.method()) {
            (Transport::Websocket, _, _) if !wants_websocket(request.headers()) => Err(BadRequest::NoWebsocket),
            (Transport::Websocket, _, _) if !is_handshake(request.headers()) => Err(BadRequest::WebsocketHandshake),
            (Transport::Websocket, None, _) => Ok(Self::NewWebsocket),
            (Transport::Websocket, Some(session), &Method::GET) => Ok(Self::Upgrade { session }),
            (Transport::Polling, None, _) => Ok(Self::NewPolling),
            (Transport::Polling, Some(session), &Method::GET) => Ok(Self::Poll { session }),
            (Transport::Polling, Some(session), &Method::POST) => Ok(Self::Post { session }),
            _ => Err(BadRequest::Method),
        }
    }
}

/// Whether a path is the service's, with a trailing slash or without. The paths below it are the application's.
pub(crate) fn is_for(path: &str, service_path: &str) -> bool {
    path.strip_prefix(service_path).is_some_and(|rest| rest.is_empty() || rest == "/")
}

/// The value of a parameter, decoded. Several values are one with commas, as in the reference server: no such session
/// exists.
fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value);
    values.reduce(|all, value| format!("{all},{value}").into())
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
    names(header::UPGRADE, "websocket") && names(header::CONNECTION, "upgrade")
}

fn is_handshake(headers: &HeaderMap) -> bool {
    /// The bytes of a key.
    const KEY: usize = 16;
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key).ok());
    headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && key.is_some_and(|key| key.len() == KEY)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use roomwire_core::config::Transport;

    use super::{BadRequest, RequestKind, is_for};

    const BOTH: &[Transport] = &[Transport::Polling, Transport::Websocket];

    fn of(method: &str, query: &str, websocket: bool, transports: &[Transport]) -> Result<RequestKind, BadRequest> {
        let mut request = Request::builder().method(method).uri(format!("/socket.io/?{query}"));
        if websocket {
            request = request
                .header("upgrade", "WebSocket")
                .header("connection", "keep-alive, Upgrade")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        RequestKind::of(&request.body(()).expect("valid"), transports)
    }

    fn kind(method: &str, query: &str, websocket: bool) -> Result<RequestKind, BadRequest> {
        of(method, query, websocket, BOTH)
    }

    #[test]
    fn each_kind_of_request_is_told_apart() {
        let session = || "a/b".to_owned();
        for (method, query, websocket, expected) in [
            ("GET", "EIO=4&transport=polling", false, RequestKind::NewPolling),
            ("GET", "EIO=4&transport=%70olling&sid=", false, RequestKind::NewPolling),
            ("GET", "EIO=4&transport=websocket", true, RequestKind::NewWebsocket),
            ("GET", "EIO=4&transport=websocket&sid=a%2Fb", true, RequestKind::Upgrade { session: session() }),
            ("GET", "transport=polling&sid=a/b", false, RequestKind::Poll { session: session() }),
            ("POST", "EIO=4&transport=polling&sid=a/b", false, RequestKind::Post { session: session() }),
            ("GET", "transport=polling&sid=a&sid=b", false, RequestKind::Poll { session: "a,b".to_owned() }),
        ] {
            assert_eq!(kind(method, query, websocket), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_is_told_apart() {
        for (method, query, expected) in [
            ("GET", "", BadRequest::UnknownTransport),
            ("GET", "EIO=4&transport=webtransport", BadRequest::UnknownTransport),
            ("GET", "EIO=4&transport=polling&j=0", BadRequest::Jsonp),
            ("POST", "EIO=4&transport=polling", BadRequest::HandshakeMethod),
            ("GET", "EIO=3&transport=polling", BadRequest::UnsupportedVersion),
            ("GET", "EIO=4&EIO=4&transport=polling", BadRequest::UnsupportedVersion),
            ("GET", "EIO=4&transport=polling&transport=websocket", BadRequest::UnknownTransport),
            ("GET", "transport=polling", BadRequest::UnsupportedVersion),
            ("GET", "EIO=4&transport=websocket", BadRequest::NoWebsocket),
            ("PUT", "EIO=4&transport=polling&sid=a", BadRequest::Method),
        ] {
            assert_eq!(kind(method, query, false), Err(expected), "{query}");
        }
        let polling = of("GET", "EIO=4&transport=polling", false, &[Transport::Websocket]);
        assert_eq!(polling, Err(BadRequest::UnknownTransport));
    }

    #[test]
    fn only_the_service_path_belongs_to_it() {
        for (path, belongs) in [
            ("/socket.io", true),
            ("/socket.io/", true),
            ("/socket.io/socket.io.js", false),
            ("/socket.iox", false),
            ("/", false),
        ] {
            assert_eq!(is_for(path, "/socket.io"), belongs, "{path}");
        }
    }
}
