//! What is counted of sessions, through the `metrics` facade: without a recorder it costs next to nothing.

use metrics::counter;

/// Counts what is beyond a limit under the configuration key that says how much that is, as the service does.
pub(crate) fn limited(key: &'static str) {
    counter!("roomwire_limited_total", "limit" => key).increment(1);
}

/// A value of which only the newest counts waits for a client that is behind: whether it replaced an older one, and how
/// many of other keys were dropped for it.
pub(crate) fn conflated(replaced: bool, dropped: usize) {
    if replaced {
        counter!("roomwire_conflated_total").increment(1);
    }
    if dropped > 0 {
        counter!("roomwire_conflated_dropped_total").increment(dropped as u64);
    }
}
