//! The address of a client, also behind proxies.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Once,
};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;

use super::forwarded;

/// The address of a client, as far as it can be trusted: an extension of each request to the service's path.
///
/// It is the peer's address (axum's [`ConnectInfo`]), or the one that proxies in `trustedProxies` report. An outer
/// layer that knows the address may insert it; it is then used unchanged. If the app's own server provides neither, the
/// address is unknown, and no client is limited by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The address of a client, and whether it stands for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    /// Limits by address apply. They do not to a private peer that forwards requests of others: it is most likely a
    /// proxy that is missing in `trustedProxies`, and the limits would hit all clients behind it together. A client in
    /// a private network can get around the limits by such a header, but not around `maxConnections`.
    pub(crate) is_limited: bool,
}

/// The proxies with trusted headers.
#[derive(Debug)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Each of these is logged once: it is a mistake in a configuration, and does not change while the server runs.
    private_unlisted: Once,
    public_unlisted: Once,
    disagreeing: Once,
    unknown_peer: Once,
}

impl TrustedProxies {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self {
            networks: networks.to_vec(),
            private_unlisted: Once::new(),
            public_unlisted: Once::new(),
            disagreeing: Once::new(),
            unknown_peer: Once::new(),
        }
    }

    /// Where a request comes from, when that is known.
    pub(crate) fn source(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<Source> {
        if let Some(ClientAddress(known)) = extensions.get() {
            return Some(Source { address: *known, is_limited: true });
        }
        let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
            self.unknown_peer.call_once(|| {
                tracing::warn!(
                    target: "roomwire",
                    "the app's server does not tell the addresses of its clients: limits by address do not apply, and loopback \
                     pages are refused. Serve the app with into_make_service_with_connect_info::<SocketAddr>()"
                );
            });
            return None;
        };
        let peer = peer.ip().to_canonical();
        if self.trusts(peer) {
            return Some(Source { address: self.named_client(peer, headers), is_limited: true });
        }
        let is_proxy = forwarded::is_named(headers);
        if is_proxy {
            self.warn_of_unlisted(peer);
        }
        Some(Source { address: peer, is_limited: !(is_proxy && is_private(peer)) })
    }

    fn warn_of_unlisted(&self, peer: IpAddr) {
        if is_private(peer) {
            self.private_unlisted.call_once(|| {
                tracing::warn!(
                    target: "roomwire", %peer,
                    "a proxy that is not trusted sends X-Forwarded-For or Forwarded: all its clients have its address, and \
                     limits by address do not apply to them. Add to the configuration: trustedProxies = [\"{peer}\"]"
                );
            });
        } else {
            self.public_unlisted.call_once(|| {
                tracing::warn!(
                    target: "roomwire", %peer,
                    "a peer that is not trusted sends X-Forwarded-For or Forwarded: it counts as one client. If it is a proxy \
                     of yours, add to the configuration: trustedProxies = [\"{peer}\"]"
                );
            });
        }
    }

    /// The client that a trusted proxy names, or the proxy itself.
    fn named_client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let by = |hops: Option<Vec<Option<IpAddr>>>| hops.map(|hops| self.nearest_untrusted(proxy, &hops));
        match (by(forwarded::for_list(headers)), by(forwarded::standard(headers))) {
            (Some(one), Some(other)) if one != other => {
                self.disagreeing.call_once(|| {
                    tracing::warn!(
                        target: "roomwire", peer = %proxy,
                        "X-Forwarded-For and Forwarded of a trusted proxy disagree, and neither is used: the proxy must remove \
                         the one that it does not write"
                    );
                });
                proxy
            }
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => proxy,
        }
    }

    /// The last address of a list that is not a trusted proxy. The client may have invented those before it.
    fn nearest_untrusted(&self, proxy: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = proxy;
        for hop in hops.iter().rev() {
            // A proxy that works writes addresses: the one that passed this word on counts.
            let Some(address) = hop else { return client };
            client = *address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Whether an address is of this machine or of a private network, where proxies are: also the shared address space
/// (100.64.0.0/10) of clouds, and link-local addresses.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => {
            address == Ipv6Addr::LOCALHOST || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use axum::extract::ConnectInfo;
    use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

    use super::{ClientAddress, Source, TrustedProxies};

    fn source(peer: &str, headers: &[(&'static str, &str)]) -> Source {
        let proxies =
            TrustedProxies::new(&["10.0.0.0/8".parse().expect("a network"), "fd00::/16".parse().expect("a network")]);
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        proxies.source(&extensions, &map).expect("known")
    }

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        source(peer, headers).address.to_string()
    }

    const LIST: &str = "x-forwarded-for";
    const STANDARD: &str = "forwarded";

    #[test]
    fn the_headers_of_an_unlisted_peer_do_not_change_its_address() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[(LIST, "198.51.100.7"), (STANDARD, "for=198.51.100.7")]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn limits_by_address_do_not_apply_to_an_unlisted_proxy_in_a_private_network() {
        let forwards = [(LIST, "198.51.100.7")];
        for private in
            ["127.0.0.1", "::1", "172.17.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "fdaa::1", "fe80::1"]
        {
            assert!(!source(private, &forwards).is_limited, "{private}");
            assert!(!source(private, &[(STANDARD, "for=198.51.100.7")]).is_limited, "{private}");
            assert!(source(private, &[]).is_limited, "a client of its own: {private}");
        }
        for public in ["192.0.2.1", "100.128.0.1", "172.32.0.1", "2001:db8::1"] {
            assert!(source(public, &forwards).is_limited, "{public}");
        }
        assert!(source("10.9.9.9", &forwards).is_limited, "a listed proxy names its clients");
    }

    #[test]
    fn the_last_address_that_a_listed_proxy_names_and_that_is_not_listed_counts() {
        for (headers, expected) in [
            (&[(LIST, "198.51.100.7")][..], "198.51.100.7"),
            (&[(LIST, "203.0.113.9, 198.51.100.7")], "198.51.100.7"),
            (&[(LIST, "203.0.113.9, 198.51.100.7, 10.1.1.1")], "198.51.100.7"),
            (&[(LIST, "203.0.113.9"), (LIST, "198.51.100.7")], "198.51.100.7"),
            (&[(LIST, "10.1.1.1, 10.1.1.2")], "10.1.1.1"),
            (&[(LIST, "198.51.100.7:4711")], "198.51.100.7"),
            (&[(LIST, "[2001:db8::1]:4711")], "2001:db8::1"),
            (&[(LIST, "2001:db8::1, fd00::1")], "2001:db8::1"),
            (&[(LIST, "::ffff:198.51.100.7")], "198.51.100.7"),
            (&[(STANDARD, "for=198.51.100.7;proto=https;by=10.1.1.1")], "198.51.100.7"),
            (&[(STANDARD, r#"for=203.0.113.9, For="[2001:db8::1]:4711""#)], "2001:db8::1"),
            (&[(LIST, "198.51.100.7"), (STANDARD, "for=198.51.100.7")], "198.51.100.7"),
        ] {
            assert_eq!(client("10.9.9.9", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn headers_that_cannot_be_read_or_contradict_each_other_are_not_used() {
        for headers in [
            &[(LIST, "198.51.100.7, nonsense")][..],
            &[(LIST, "unknown")],
            &[(LIST, "")],
            &[(LIST, "198.51.100.7,")],
            &[(STANDARD, "for=unknown")],
            &[(STANDARD, "for=198.51.100.7, for=_hidden")],
            &[(STANDARD, "proto=https")],
            &[(STANDARD, r#"for="198.51.100.7"#)],
            &[(LIST, "198.51.100.7"), (STANDARD, "for=203.0.113.9")],
        ] {
            assert_eq!(client("10.9.9.9", headers), "10.9.9.9", "{headers:?}");
        }
        assert_eq!(client("10.9.9.9", &[(LIST, "nonsense, 10.1.1.1")]), "10.1.1.1", "as far as it can be read");
    }

    #[test]
    fn a_layer_in_front_is_believed_and_without_a_peer_nothing_is_known() {
        let (proxies, known) = (TrustedProxies::new(&[]), "192.0.2.9".parse::<IpAddr>().expect("an address"));
        let mut extensions = Extensions::new();
        assert_eq!(proxies.source(&extensions, &HeaderMap::new()), None);
        extensions.insert(ClientAddress(known));
        let expected = Source { address: known, is_limited: true };
        assert_eq!(proxies.source(&extensions, &HeaderMap::new()), Some(expected));
    }
}
