//! Errors of a service that cannot start.

use roomwire_core::{Error, ErrorCode};

/// This message is for the operator, not for a client: it describes the problem.
pub(crate) fn refused(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let problem = problem.into();
    Error::with_message(ErrorCode::Internal, format!("service cannot start: {problem}")).with_source(problem)
}
