//! The log line of a server that is up.

use std::fmt::Display;

use roomwire_core::Escaped;
use roomwire_service::WebSocketService;
use roomwire_socketio::Sessions;

/// Logs one line, at info: where clients connect and what is configured. `place` is a URL or a path.
pub(crate) fn log(what: &str, place: impl Display, service: &WebSocketService, sessions: &Sessions) {
    let config = service.config();
    let mut namespaces: Vec<_> = sessions.namespaces().collect();
    namespaces.sort();
    tracing::info!(
        target: "roomwire",
        transports = joined(&config.transports),
        namespaces = joined(namespaces),
        state = service.state_name(),
        node = %Escaped(service.node_id()),
        authentication = if service.has_authenticator() { "on" } else { "off" },
        limits_off = joined(config.disabled_limits()),
        "{what} {place}"
    );
}

/// The items with commas, or `none`.
fn joined(items: impl IntoIterator<Item = impl Display>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
