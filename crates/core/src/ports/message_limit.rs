//! The size limit of messages between nodes.

/// The largest message of a backplane, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageLimit {
    /// The largest message in bytes, including everything around its payload.
    pub bytes: usize,
    /// The setting of the backend that limits it, with its value and its location.
    pub setting: String,
    /// What to set it to for a larger payload, as an instruction.
    pub remedy: &'static str,
    /// Whether the backend did not report its setting, so that its default is assumed.
    pub is_assumed: bool,
}

impl MessageLimit {
    /// Space for data around a payload: names, and what a handler adds to a message that it forwards.
    pub const AROUND_PAYLOAD: usize = 64 << 10;

    /// The largest payload that fits into such a message.
    #[must_use]
    pub const fn payload(&self) -> usize {
        self.bytes.saturating_sub(Self::AROUND_PAYLOAD)
    }
}
