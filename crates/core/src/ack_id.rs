//! Acknowledgement ids.

/// Identifies the acknowledgement that the sender of an event asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AckId(pub i64);
