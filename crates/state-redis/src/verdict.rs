//! What partitions without leases say about an incarnation.

use roomwire_core::Incarnation;

/// Results of partitions about an incarnation since the last heartbeat.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The incarnation whose writes one of them refuses.
    pub(crate) fenced: Option<Incarnation>,
    /// The incarnation of which one of them lost writes.
    pub(crate) behind: Option<Incarnation>,
}
