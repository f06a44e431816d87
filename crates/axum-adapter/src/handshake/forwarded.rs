//! The headers in which proxies name the client of a request.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

const LIST: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Read by [`names_loopback_only`] alone: it names no proxies, so that none of it can be trusted.
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The longest list that is read. Proxy chains are shorter.
const MOST: usize = 64;

/// Whether a request carries `X-Forwarded-For` or `Forwarded`.
pub(crate) fn is_named(headers: &HeaderMap) -> bool {
    headers.contains_key(LIST) || headers.contains_key(header::FORWARDED)
}

/// Whether each address that a proxy names is a loopback address. True without such headers.
pub(crate) fn names_loopback_only(headers: &HeaderMap) -> bool {
    let real_ip = hops(headers, REAL_IP, |word| address(word.trim()));
    let named = [for_list(headers), standard(headers), real_ip];
    named.into_iter().flatten().flatten().all(|hop| hop.is_some_and(|address| address.is_loopback()))
}

/// The addresses in `X-Forwarded-For`, that of the nearest proxy last; `None` for a word that is no address. `None`
/// without such a header.
pub(crate) fn for_list(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    hops(headers, LIST, |word| address(word.trim()))
}

/// The addresses in `Forwarded` (RFC 7239), in the same way.
pub(crate) fn standard(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    hops(headers, header::FORWARDED, |hop| {
        let mut named = hop.split(';').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
        });
        let value = named.next().filter(|_| named.next().is_none())?;
        let bare = match value.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"')?,
            None => value,
        };
        address(bare)
    })
}

/// The words of all headers of this name, at most the last [`MOST`]. A comma within quotes separates words too: an
/// address has none.
fn hops(headers: &HeaderMap, name: HeaderName, read: impl Fn(&str) -> Option<IpAddr>) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    // From the end: that is where the nearest proxies write.
    for value in headers.get_all(name).iter().rev() {
        match value.to_str() {
            Ok(text) => hops.extend(text.rsplit(',').take(MOST - hops.len().min(MOST)).map(&read)),
            Err(_) => hops.push(None),
        }
    }
    hops.reverse();
    (!hops.is_empty()).then_some(hops)
}

/// An address, alone or with a port; one of IPv6 may stand in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse::<IpAddr>();
    let address = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| bare());
    address.ok().map(|address| address.to_canonical())
}
