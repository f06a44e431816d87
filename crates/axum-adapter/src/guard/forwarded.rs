//! What proxies write about where a request comes from.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

const LIST: HeaderName = HeaderName::from_static("x-forwarded-for");

/// No proxy chain is longer; whoever writes more invents it.
const MOST: usize = 64;

/// Whether a request carries any such header.
pub(crate) fn is_named(headers: &HeaderMap) -> bool {
    headers.contains_key(LIST) || headers.contains_key(header::FORWARDED)
}

/// The addresses in `X-Forwarded-For`, the last proxy's word last; none for a word that is no address. Nothing when there
/// is no such header.
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

/// The last words of all headers of this name. A comma within quotes is no part of an address, so that what it cuts in
/// two is none.
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
