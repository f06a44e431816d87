//! Why a gateway cannot be mounted.

use std::fmt;

use bytestring::ByteString;
use roomwire_core::NameError;

use super::Requirement;

/// The mistakes found in the gateways of a service, all of them.
///
/// `Debug` writes the same as `Display`, because a `main` that returns this error prints it by `Debug`.
pub struct GatewayError(Vec<Problem>);

#[derive(Debug)]
pub(super) enum Problem {
    Name {
        event: ByteString,
        error: NameError,
    },
    Namespace {
        namespace: ByteString,
        error: NameError,
    },
    Twice {
        what: ByteString,
    },
    /// An event name of the application that clients of this service cannot send.
    Authenticate,
    NoState {
        by: ByteString,
        requirement: Requirement,
    },
}

impl GatewayError {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway cannot be mounted:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for GatewayError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { event, error } => write!(f, ".on({event:?}, …): {error}"),
            Self::Namespace { namespace, error } => write!(f, "Gateway::of({namespace:?}): {error}"),
            Self::Twice { what } => write!(f, "`{what}` is registered twice; only one can be used"),
            Self::Authenticate => f.write_str(
                ".on(\"authenticate\", …): the service has an authenticator, which answers this event; choose another name",
            ),
            Self::NoState { by, requirement } => write!(
                f,
                "the handler of `{by}` wants State<{name}>, but .with_state(…) was not given a {name}",
                name = requirement.type_name()
            ),
        }
    }
}
