//! Where a client comes from, also behind proxies.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;

use super::forwarded;

/// The address of a client, as far as it can be believed: an extension of each request to the service's path.
///
/// It is the peer's own (axum's [`ConnectInfo`]), or what proxies in `trustedProxies` say. A layer in front of
/// Roomwire's that knows better may insert it; then it is taken as it is. In a server of the app's own that inserts
/// neither, nothing is known, and nobody is limited by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The proxies whose word is taken.
#[derive(Debug)]
pub(crate) struct Proxies {
    trusted: Vec<IpNet>,
    /// Whoever forgot to list a proxy is told once.
    unlisted: Once,
    /// Two proxies on the way that say different things.
    disagreeing: Once,
}

impl Proxies {
    pub(crate) fn new(trusted: &[IpNet]) -> Self {
        Self { trusted: trusted.to_vec(), unlisted: Once::new(), disagreeing: Once::new() }
    }

    /// Where a request comes from, when that is known.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        if let Some(ClientAddress(known)) = extensions.get() {
            return Some(*known);
        }
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        let peer = peer.ip().to_canonical();
        if !self.trusts(peer) {
            if forwarded::is_named(headers) {
                self.unlisted.call_once(|| {
                    tracing::warn!(
                        target: "roomwire", %peer,
                        "requests come with X-Forwarded-For or Forwarded from a peer that is not listed: if it is a proxy of \
                         yours, add it to trustedProxies; until then all its clients count as one address"
                    );
                });
            }
            return Some(peer);
        }
        let by = |hops: Option<Vec<Option<IpAddr>>>| hops.map(|hops| self.nearest_unknown(peer, &hops));
        match (by(forwarded::for_list(headers)), by(forwarded::standard(headers))) {
            (Some(one), Some(other)) if one != other => {
                self.disagreeing.call_once(|| {
                    tracing::warn!(
                        target: "roomwire", %peer,
                        "X-Forwarded-For and Forwarded of a trusted proxy disagree, neither is believed: let it remove the one \
                         that it does not write"
                    );
                });
                Some(peer)
            }
            (Some(client), _) | (None, Some(client)) => Some(client),
            (None, None) => Some(peer),
        }
    }

    /// The last address on the way here that is no trusted proxy. What stands before it may be invented.
    fn nearest_unknown(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer;
        for hop in hops.iter().rev() {
            // What cannot be read was not written by a proxy that works: whoever passed it on counts.
            let Some(address) = hop else { return client };
            client = *address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use axum::extract::ConnectInfo;
    use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

    use super::{ClientAddress, Proxies};

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")]);
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        proxies.client(&extensions, &map).expect("known").to_string()
    }

    const LIST: &str = "x-forwarded-for";
    const STANDARD: &str = "forwarded";

    #[test]
    fn a_peer_that_is_not_listed_speaks_for_itself_alone() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[(LIST, "198.51.100.7"), (STANDARD, "for=198.51.100.7")]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn of_what_listed_proxies_say_the_last_that_is_none_of_them_counts() {
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
    fn what_cannot_be_read_or_is_contradicted_is_not_believed() {
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
    fn whoever_knows_better_is_believed_and_where_nobody_knows_nothing_is_known() {
        let (proxies, known) = (Proxies::new(&[]), "192.0.2.9".parse::<IpAddr>().expect("an address"));
        let mut extensions = Extensions::new();
        assert_eq!(proxies.client(&extensions, &HeaderMap::new()), None);
        extensions.insert(ClientAddress(known));
        assert_eq!(proxies.client(&extensions, &HeaderMap::new()), Some(known));
    }
}
