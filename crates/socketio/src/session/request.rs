//! The request that opened a session.

use std::{fmt, net::IpAddr};

use http::{HeaderMap, header};

/// What the request that opened a session says about its client.
#[derive(Clone, Default)]
pub struct SessionRequest {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query, without `?`.
    pub query: String,
    /// The client's address.
    pub address: Option<IpAddr>,
}

impl SessionRequest {
    /// The origin of the client's page, if the browser sent one.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.headers.get(header::ORIGIN)?.to_str().ok()
    }

    /// Whether the client takes no binary frames, and gets attachments as base64: it says so by `b64=1`.
    pub(crate) fn takes_base64(&self) -> bool {
        self.query.split('&').any(|pair| pair.strip_prefix("b64=").is_some_and(|value| !value.is_empty()))
    }
}

/// The client's address and its page, for the log.
impl fmt::Display for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f)?,
            None => f.write_str("unknown")?,
        }
        match self.origin() {
            Some(origin) => write!(f, " {origin}"),
            None => Ok(()),
        }
    }
}

/// Without headers and query, which may contain credentials.
impl fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRequest").field("address", &self.address).finish_non_exhaustive()
    }
}
