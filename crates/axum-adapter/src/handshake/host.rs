//! The host that a request is for.

use std::net::IpAddr;

use http::{Request, header, uri::Authority};

/// The host and port of the `Host` header, or of the target. None when there are several.
pub(crate) fn requested<B>(request: &Request<B>) -> Option<Authority> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(parse),
        (None, None) => request.uri().authority().cloned(),
        _ => None,
    }
}

/// A host with its port if any, and nothing else.
pub(crate) fn parse(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|authority: &Authority| {
        !authority.as_str().contains('@') && (authority.port_u16().is_some() || !authority.as_str().ends_with(':'))
    })
}

/// Whether a browser resolves the host to its own machine by itself: `localhost`, a name below it (RFC 6761), or a
/// loopback address. Other names are not looked up: the answer of a DNS server says nothing.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    match address(host) {
        Some(address) => address.is_loopback(),
        None => host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost")),
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, parse};

    #[test]
    fn localhost_names_below_it_and_loopback_addresses_are_loopback_and_names_like_them_are_not() {
        let is = |text: &str| is_loopback(&parse(text).expect(text));
        for text in [
            "localhost",
            "LocalHost:5173",
            "shop.localhost",
            "127.0.0.1:3000",
            "127.8.0.1",
            "[::1]:3000",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is(text), "{text}");
        }
        for text in [
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[2001:db8::1]",
            "[::]",
            "0.0.0.0",
        ] {
            assert!(!is(text), "{text}");
        }
    }
}
