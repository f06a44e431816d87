//! The HTTP API for operators and other programs.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::Secret;

/// The HTTP API for operators and other programs: `api`.
///
/// It is off unless a token is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// The token that requests must send, 16 to 1024 printable ASCII characters without spaces. `None` switches the API
    /// off. None unless set. Never serialized.
    #[serde(skip_serializing)]
    pub token: Option<Secret>,
    /// The address to listen on. `127.0.0.1` unless set: reachable from this machine only.
    pub host: IpAddr,
    /// The port to listen on; 0 lets the system choose a free one. 3900 unless set.
    pub port: u16,
    /// The largest body of a request in bytes, 1024 to 67108864 (64 MiB). 1 MiB unless set.
    pub body_limit: usize,
}

impl Default for Api {
    fn default() -> Self {
        Self { token: None, host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 3900, body_limit: 1 << 20 }
    }
}
