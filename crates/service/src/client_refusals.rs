//! Log lines about clients that are refused or disconnected because of a limit.

use std::error::Error as _;

use roomwire_core::{ConnectRequest, Error, ErrorCode, Escaped, NodeId};

use crate::{Client, Refusal, RefusalLog, metrics::Limit};

impl RefusalLog {
    /// A client did not authenticate, or its identity is no longer valid. The client does not learn the reason.
    pub(crate) fn not_authenticated(&self, error: &Error, request: &ConnectRequest) {
        let is_late = error.code() == ErrorCode::Timeout;
        let key = if is_late { "auth.timeout" } else { "auth" };
        let source = error.source().filter(|_| !is_late);
        let reason = source.map_or_else(|| error.message().to_owned(), ToString::to_string);
        let message = format!("a client is not authenticated: {}", Escaped(&reason));
        self.report(message.clone(), || Refusal {
            message: message.clone().into(),
            example: {
                let address =
                    request.address.map_or_else(|| "unknown address".to_owned(), |address| address.to_string());
                request.origin.iter().fold(address, |address, origin| format!("{address} {origin}"))
            },
            key: Some(key),
        });
    }

    /// An event was answered with `RATE_LIMITED`.
    pub(crate) fn rate_limited(&self, limit: Limit, client: &Client) {
        let (key, message) = if limit == Limit::Bytes {
            ("limits.bytesPerSecond", "events are refused: a client sends more bytes than limits.bytesPerSecond allows")
        } else {
            (
                "limits.eventsPerSecond",
                "events are refused: a client sends more of them than limits.eventsPerSecond allows",
            )
        };
        self.of_client(limit.as_str(), key, message, client);
    }

    /// A client that exceeded its rate limit continuously is disconnected.
    pub(crate) fn too_many_requests(&self, client: &Client) {
        let message = "a client is disconnected: it was refused ten times limits.eventBurst without a pause";
        self.of_client("too many requests", "limits.eventBurst", message, client);
    }

    /// A client that sent no event for a long time is disconnected.
    pub(crate) fn idle(&self, client: &Client) {
        let message =
            "a client is disconnected: it sent no event for limits.idleTimeout. Clients that only listen count as idle";
        self.of_client("idle timeout", "limits.idleTimeout", message, client);
    }

    /// The server stops reading from a client whose events are handled more slowly than it sends them.
    pub(crate) fn reading_paused(&self, client: &Client) {
        let message = "reading from a client is paused: limits.mailbox (events) or limits.byteBurst (bytes) of its events are \
                       queued. If that lasts longer than pingTimeout, it loses its connection; handlers may be slow";
        self.of_client("mailbox full", "limits.mailbox", message, client);
    }

    /// A client with too many waiting events is disconnected.
    pub(crate) fn mailbox_overflow(&self, client: &Client) {
        let message = "a client is disconnected: more of its events wait to be handled than limits.mailbox allows; handlers may be slow";
        self.of_client("mailbox", "limits.mailbox", message, client);
    }

    /// An event was answered with `PAYLOAD_TOO_LARGE`.
    pub(crate) fn payload_too_large(&self, client: &Client) {
        let message = "an event is refused: it is larger than limits.payload";
        self.of_client("payload", "limits.payload", message, client);
    }

    /// An event was answered with `LIMIT_EXCEEDED`.
    pub(crate) fn attachments(&self, client: &Client) {
        let message = "an event is refused: it has more binary attachments than limits.attachments";
        self.of_client("attachments", "limits.attachments", message, client);
    }

    /// A handler returned an answer that its client may not be able to read.
    pub(crate) fn attachments_of_answer(&self, client: &Client) {
        let message = "an answer is not sent: it has more binary attachments than limits.attachments. Official clients end \
                       their connection at the eleventh";
        self.of_client("attachments of an answer", "limits.attachments", message, client);
    }

    /// A message of another node was dropped.
    pub(crate) fn attachments_of_node(&self, node: &NodeId) {
        self.report("attachments of a node", || Refusal {
            message:
                "a message of another node is dropped: it has more binary attachments than limits.attachments, which \
                      is lower on this node"
                    .into(),
            example: node.to_string(),
            key: Some("limits.attachments"),
        });
    }

    /// A slow consumer is disconnected.
    pub(crate) fn send_buffer_full(&self, client: &Client) {
        let message = "a client is disconnected as a slow consumer: more waits for it than limits.sendBuffer (packets) and \
                       limits.sendBufferBytes allow";
        self.of_client("send buffer", "limits.sendBuffer", message, client);
    }

    fn of_client(&self, cause: &'static str, key: &'static str, message: &'static str, client: &Client) {
        self.report(cause, || Refusal { message: message.into(), example: client.id().to_string(), key: Some(key) });
    }
}
