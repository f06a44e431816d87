//! What is counted of connections, requests and what waits, through the `metrics` facade: without a recorder it costs
//! next to nothing.

use metrics::{counter, gauge};

pub(crate) fn connection_accepted() {
    counter!("roomwire_connections_accepted_total").increment(1);
    gauge!("roomwire_connections").increment(1);
}

/// A TCP connection was refused. Both causes follow from `maxConnections`.
pub(crate) fn connection_refused(cause: &'static str) {
    counter!("roomwire_connections_refused_total", "cause" => cause).increment(1);
    count_limit("full");
}

/// A request to the service's path that was turned away.
pub(crate) fn request_refused(cause: &'static str) {
    counter!("roomwire_requests_refused_total", "cause" => cause).increment(1);
    count_limit(cause);
}

pub(crate) fn connection_closed(cause: &'static str) {
    counter!("roomwire_connections_closed_total", "cause" => cause).increment(1);
    gauge!("roomwire_connections").decrement(1);
    count_limit(cause);
}

/// Counts what is beyond a limit under the configuration key that says how much that is, as the service does.
fn count_limit(cause: &'static str) {
    let limit = match cause {
        "full" | "open files" => "maxConnections",
        "address" => "connectionsPerAddress",
        "reconnects" => "reconnectsPerSecond",
        "head" => "headers",
        "payload" => "payload",
        "head timeout" | "body timeout" => "handshakeTimeout",
        _ => return,
    };
    counter!("roomwire_limited_total", "limit" => limit).increment(1);
}

pub(crate) fn accept_failed() {
    counter!("roomwire_accept_errors_total").increment(1);
}
