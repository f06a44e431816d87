//! How large a message between nodes may be.

/// The largest message that a backplane carries, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageLimit {
    /// The largest message in bytes, with everything around its payload.
    pub bytes: usize,
    /// The setting of the backend that bounds it, with its value and where it is set.
    pub setting: String,
    /// What to set it to for a payload that is larger, as an instruction.
    pub remedy: &'static str,
    /// Whether the backend did not tell its setting, so that its default is assumed.
    pub is_assumed: bool,
}

impl MessageLimit {
    /// The room that is kept for what is around a payload: names, and what a handler adds to a message that it passes
    /// on.
    pub const AROUND_PAYLOAD: usize = 64 << 10;

    /// The largest payload that fits into such a message.
    #[must_use]
    pub const fn payload(&self) -> usize {
        self.bytes.saturating_sub(Self::AROUND_PAYLOAD)
    }
}
