//! Which pages may connect: the origin that a browser names.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, header, uri::Authority};
use roomwire_core::Escaped;

use super::{ClientAddress, forwarded, host};

/// The entry of `allowedOrigins` that allows all origins.
const ANY: &str = "*";

/// The longest part of an origin that is kept, in characters.
const LONGEST: usize = 128;

/// The origins that may connect, besides the server's own.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigins {
    listed: Vec<String>,
    any: bool,
}

/// The page that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The request names no page, or a page of the host and port that it is for. A browser lets such a page read the
    /// response without CORS headers.
    SameOrigin,
    /// A page of another origin that may connect.
    Allowed,
    /// A page that may not connect.
    Refused(RefusedOrigin),
}

/// An origin that may not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedOrigin {
    /// As the request names it, cut. To be shown as [`Escaped`] only.
    pub(crate) name: String,
    pub(crate) reason: Reason,
}

/// Why an origin is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is not in `allowedOrigins`.
    NotListed,
    /// It would be the server's own if a proxy had forwarded the `Host` header; this is the header that came.
    HostMismatch(String),
    /// A page of a loopback address, and the connection is not known to come from the same machine.
    NotLocal,
    /// `null`, several origins, or nothing that a browser writes.
    NoOrigin,
}

impl AllowedOrigins {
    pub(crate) fn new(listed: &[String]) -> Self {
        Self { any: listed.iter().any(|origin| origin == ANY), listed: listed.to_vec() }
    }

    /// Decides whether the page of a request may connect.
    pub(crate) fn judge<B>(&self, request: &Request<B>) -> Page {
        let mut named = request.headers().get_all(header::ORIGIN).iter();
        let Some(origin) = named.next() else { return Page::SameOrigin };
        if let Some(another) = named.next() {
            let name = format!("{} and {}", cut(origin), cut(another));
            return Page::Refused(RefusedOrigin { name, reason: Reason::NoOrigin });
        }
        let refused = |reason| Page::Refused(RefusedOrigin { name: cut(origin), reason });
        let (page, host) = (WebOrigin::parse(origin), host::requested(request));
        match (&page, &host) {
            (Some(page), Some(host)) if page.is_at(host) => Page::SameOrigin,
            _ if self.any || self.listed.iter().any(|listed| origin == listed) => Page::Allowed,
            (Some(page), Some(host)) if page.is_loopback() && host::is_loopback(host) && is_local(request) => {
                Page::Allowed
            }
            (Some(page), Some(host)) if page.may_be_behind(host) => refused(Reason::HostMismatch(host.to_string())),
            (Some(page), _) if page.is_loopback() => refused(Reason::NotLocal),
            _ if is_listable(origin) => refused(Reason::NotListed),
            _ => refused(Reason::NoOrigin),
        }
    }
}

impl RefusedOrigin {
    /// Under which the log and the counters have it.
    pub(crate) fn cause(&self) -> &'static str {
        if matches!(self.reason, Reason::HostMismatch(_)) { "host" } else { "origin" }
    }

    /// The configuration key that decides, if one does.
    pub(crate) fn key(&self) -> Option<&'static str> {
        (!matches!(self.reason, Reason::HostMismatch(_))).then_some("allowedOrigins")
    }

    /// What to do about it, for the developer of the page and the operator of the server.
    pub(crate) fn advice(&self) -> String {
        const FORWARD: &str =
            "forward the Host header as it came (nginx: proxy_set_header Host $http_host; vite: changeOrigin: false)";
        let name = Escaped(&self.name);
        let list = format!(r#"add to the configuration: allowedOrigins = ["{name}"]"#);
        match &self.reason {
            Reason::NotListed => {
                format!(
                    "Pages of {name} may not connect. To allow them, {list}. If a proxy serves them together with this server, \
                 it must {FORWARD}"
                )
            }
            Reason::HostMismatch(host) => format!(
                "Pages of {name} may not connect, because the request came with Host: {}. If a proxy serves these pages, it \
                 must {FORWARD}. Otherwise {list}",
                Escaped(host)
            ),
            Reason::NotLocal => format!(
                "Pages of {name} may only connect from the same machine, directly or through a proxy on it, to a server that knows \
                 its clients' addresses (axum: into_make_service_with_connect_info). To allow them, {list}"
            ),
            Reason::NoOrigin => format!(
                "A page without an origin of its own may not connect: Origin: {name}. Only allowedOrigins = [\"*\"] allows \
                 it"
            ),
        }
    }
}

/// The origin of a page that was loaded by HTTP.
struct WebOrigin {
    authority: Authority,
    default_port: u16,
}

impl WebOrigin {
    fn parse(origin: &HeaderValue) -> Option<Self> {
        let (scheme, authority) = origin.to_str().ok()?.split_once("://")?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some(Self { authority: host::parse(authority)?, default_port })
    }

    /// Whether it has this host and port. The scheme is not compared: a proxy may end TLS, which is not visible here.
    fn is_at(&self, host: &Authority) -> bool {
        let port = |authority: &Authority| authority.port_u16().unwrap_or(self.default_port);
        self.has_host_of(host) && port(&self.authority) == port(host)
    }

    fn has_host_of(&self, host: &Authority) -> bool {
        self.authority.host().eq_ignore_ascii_case(host.host())
    }

    fn is_loopback(&self) -> bool {
        host::is_loopback(&self.authority)
    }

    /// Whether this `Host` header looks like one that a proxy changed: it names the page's host, and another port or
    /// none. Of loopback names only the latter: each port is another server there.
    fn may_be_behind(&self, host: &Authority) -> bool {
        self.has_host_of(host) && (host.port_u16().is_none() || !self.is_loopback())
    }
}

/// Whether a request was made on this machine, for a name of this machine. A page of a loopback address is then as
/// local as the server.
///
/// For a public server behind a proxy on this machine, the `Host` header excludes pages of a visitor's machine; such a
/// proxy may also forward the visitor's address. A page with a name that is rebound to 127.0.0.1 has no loopback
/// origin.
fn is_local<B>(request: &Request<B>) -> bool {
    let extensions = request.extensions();
    let peer = extensions.get().is_some_and(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| is_loopback(peer.ip()));
    let client = extensions.get().is_none_or(|ClientAddress(client)| is_loopback(*client));
    peer && client && forwarded::names_loopback_only(request.headers())
}

fn is_loopback(address: std::net::IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether `allowedOrigins` may have it as an entry: a scheme and a host, with a port if any, and nothing else.
fn is_listable(origin: &HeaderValue) -> bool {
    origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(scheme, authority)| {
        !scheme.is_empty() && host::parse(authority).is_some_and(|authority| !authority.host().is_empty())
    })
}

fn cut(origin: &HeaderValue) -> String {
    String::from_utf8_lossy(origin.as_bytes()).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
