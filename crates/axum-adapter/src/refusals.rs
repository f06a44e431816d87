//! What the log and the counters say about each kind of refusal.

use std::{
    borrow::Cow,
    fmt::{self, Display},
    net::IpAddr,
    sync::Arc,
};

use roomwire_service::{Refusal, RefusalLog};

use crate::{metrics, open_files::OpenFiles, oversized_head::OversizedHead};

/// Counts refusals, and reports them to the log of the service. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<RefusalLog>);

impl Refusals {
    pub(crate) fn new(log: Arc<RefusalLog>) -> Self {
        Self(log)
    }

    /// A request of a page that may not connect is answered with 403.
    pub(crate) fn origin(&self, cause: &'static str, key: Option<&'static str>, advice: &str, origin: &str) {
        metrics::request_refused(cause);
        self.0.report(cause, || Refusal {
            message: format!("a page is refused: {advice}").into(),
            example: origin.to_owned(),
            key,
        });
    }

    /// A request is answered with 431.
    pub(crate) fn oversized_head(&self, oversized: OversizedHead, address: Option<IpAddr>) {
        metrics::request_refused("head");
        let (cause, key, message) = match oversized {
            OversizedHead::Headers => {
                ("headers", "limits.headers", "a request is refused: it has more headers than limits.headers")
            }
            OversizedHead::Bytes => (
                "header bytes",
                "limits.headerBytes",
                "a request is refused: its head is larger than limits.headerBytes; are there large cookies?",
            ),
        };
        self.report(cause, key, message, &OrUnknown(address));
    }

    /// A request names a session that this process does not have: it has ended, or it is another node's.
    pub(crate) fn unknown_session(&self) {
        // Not logged: after a restart each client over HTTP requests has one.
        metrics::request_refused("session");
    }

    /// A session is refused with 503: the server has as many as it may.
    pub(crate) fn max_connections(&self, address: Option<IpAddr>) {
        metrics::request_refused("full");
        let message = "a client is refused: this server has as many as maxConnections allows";
        self.report("full", "maxConnections", message, &OrUnknown(address));
    }

    /// A session is refused with 503: its address has as many as it may.
    pub(crate) fn connections_per_address(&self, address: IpAddr) {
        metrics::request_refused("address");
        let message = "a client is refused: its address has as many as limits.connectionsPerAddress allows, which is half of \
                       maxConnections unless set. If the address is a proxy, add it to trustedProxies and let it send \
                       X-Forwarded-For";
        self.report("address", "limits.connectionsPerAddress", message, &address);
    }

    /// A session is refused with 429: its address had too many short ones.
    pub(crate) fn reconnects(&self, address: IpAddr) {
        metrics::request_refused("reconnects");
        let message = "a client is refused for a moment: its address has more sessions that end within five seconds than \
                       limits.reconnectsPerSecond and limits.reconnectBurst allow";
        self.report("reconnects", "limits.reconnectsPerSecond", message, &address);
    }

    /// A POST is answered with 413.
    pub(crate) fn payload_too_large(&self, address: Option<IpAddr>) {
        metrics::request_refused("payload");
        let message = "a request is refused: it is larger than an event within limits.payload can be";
        self.report("payload", "limits.payload", message, &OrUnknown(address));
    }

    /// The body of a request did not come in time; the answer is 408.
    pub(crate) fn body_timeout(&self, address: Option<IpAddr>) {
        metrics::request_refused("body timeout");
        let message = "a request is refused: its body did not come within limits.handshakeTimeout";
        self.report("body timeout", "limits.handshakeTimeout", message, &OrUnknown(address));
    }

    /// A connection is refused with 503: there are as many as there may be.
    pub(crate) fn listener_full(&self, address: IpAddr) {
        metrics::connection_refused("full");
        let message = "a connection is refused: there are twice as many as maxConnections and 1024 more, or as many as the \
                       open files allow";
        self.report("connections", "maxConnections", message, &address);
    }

    /// A connection is refused with 503: only files that are kept for other purposes are left.
    pub(crate) fn open_files(&self, address: IpAddr, files: OpenFiles) {
        metrics::connection_refused("open files");
        self.0.report("open files", || Refusal {
            message: format!(
                "a connection is refused: {} files are open, and {} are kept for Redis and the app. Raise the limit (ulimit -n), or \
                 lower maxConnections",
                files.for_connections(),
                files.kept()
            )
            .into(),
            example: address.to_string(),
            key: Some("maxConnections"),
        });
    }

    /// A connection is refused with 503: its address has all but those that are kept for others.
    pub(crate) fn listener_full_for(&self, address: IpAddr) {
        metrics::connection_refused("address");
        let message = "a connection is refused: its address has twice as many as maxConnections and 512 more, or half of what the \
                       open files allow. If the address is a proxy, add it to trustedProxies";
        self.report("connections of an address", "maxConnections", message, &address);
    }

    /// A connection is closed: the TLS handshake was not finished in time.
    pub(crate) fn tls_timeout(&self, address: IpAddr) {
        let message = "a connection is closed: its TLS handshake was not finished within limits.handshakeTimeout";
        self.report("tls timeout", "limits.handshakeTimeout", message, &address);
    }

    /// A connection is closed: a part of a request's head came, and the rest did not in time.
    pub(crate) fn head_timeout(&self, address: IpAddr) {
        let message = "a connection is closed: the head of its request did not come within limits.handshakeTimeout";
        self.report("head timeout", "limits.handshakeTimeout", message, &address);
    }

    /// A request is answered with 431 by the listener, which reads no further than it must.
    pub(crate) fn unread_head(&self, address: IpAddr) {
        let message = "a request is refused: its head has more headers than limits.headers or more bytes than \
                       limits.headerBytes; are there large cookies?";
        // hyper does not say which of the two it was.
        self.0.report("head", || Refusal { message: message.into(), example: address.to_string(), key: None });
    }

    fn report(&self, cause: &'static str, key: &'static str, message: &'static str, example: &dyn Display) {
        let message = Cow::Borrowed(message);
        self.0.report(cause, || Refusal { message: message.clone(), example: example.to_string(), key: Some(key) });
    }
}

/// An address, if it is known.
struct OrUnknown(Option<IpAddr>);

impl Display for OrUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}
