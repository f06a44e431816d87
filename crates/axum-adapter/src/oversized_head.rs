//! The head of a request that is larger than it may be.

/// A head that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OversizedHead {
    /// More headers than `limits.headers`.
    Headers,
    /// More bytes than `limits.headerBytes`.
    Bytes,
}
