//! What the log and the counters say about sessions and clients that are refused or disconnected.

use std::{borrow::Cow, fmt::Display, sync::Arc};

use roomwire_core::{Error, ErrorCode, Escaped};
use roomwire_service::{Refusal, RefusalLog, count_limited};

/// Counts refusals, and reports them to the log of the service.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(Arc<RefusalLog>);

impl Refusals {
    pub(crate) fn new(log: Arc<RefusalLog>) -> Self {
        Self(log)
    }

    /// A client is not admitted to a namespace.
    pub(crate) fn connect(&self, error: &Error, client: &dyn Display) {
        let key = match error.code() {
            // Reported by the service with the reason, or an outage of the server's.
            ErrorCode::Timeout
            | ErrorCode::Unauthorized
            | ErrorCode::ShuttingDown
            | ErrorCode::StateUnavailable
            | ErrorCode::Internal => return,
            ErrorCode::TokenExpired => Some("auth"),
            _ => None,
        };
        let code = error.code().as_str();
        self.0.report(code, || Refusal {
            message: format!("a client is not admitted: {code}: {}", Escaped(error)).into(),
            example: client.to_string(),
            key,
        });
    }

    /// A session connects to namespaces so often that it has to wait.
    pub(crate) fn delayed_connect(&self, client: &dyn Display) {
        count_limited("reconnectsPerSecond");
        let message = "a client waits: it connects to namespaces more often than limits.reconnectsPerSecond and \
                       limits.reconnectBurst allow";
        self.report("namespace connects", "limits.reconnectsPerSecond", message, client);
    }

    /// A session that left its last namespace is closed.
    pub(crate) fn no_namespace(&self, client: &dyn Display) {
        count_limited("handshakeTimeout");
        let message =
            "a session is closed: it left its last namespace, and connected to none within limits.handshakeTimeout";
        self.report("no namespace", "limits.handshakeTimeout", message, client);
    }

    /// A client is disconnected because it does not read.
    pub(crate) fn slow_consumer(&self, client: &dyn Display) {
        let message = "a client is disconnected as a slow consumer: it did not read what was sent to it within \
                       limits.writeTimeout or pingTimeout";
        self.report("write timeout", "limits.writeTimeout", message, client);
    }

    /// A websocket is closed with 1009.
    pub(crate) fn message_too_large(&self, client: &dyn Display) {
        count_limited("payload");
        let message = "a websocket is closed: a message is larger than an event within limits.payload can be";
        self.report("payload", "limits.payload", message, client);
    }

    /// A client is disconnected because of what it sent.
    pub(crate) fn protocol_error(&self, problem: &dyn Display, client: &dyn Display) {
        self.0.report("protocol error", || Refusal {
            message: format!("a client is disconnected: {problem}").into(),
            example: client.to_string(),
            key: None,
        });
    }

    fn report(&self, cause: &'static str, key: &'static str, message: &'static str, example: &dyn Display) {
        let message = Cow::Borrowed(message);
        self.0.report(cause, || Refusal { message: message.clone(), example: example.to_string(), key: Some(key) });
    }
}
