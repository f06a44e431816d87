//! The key by which addresses are counted.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The key of limits per address: an IPv4 address, or the /64 of an IPv6 address, because a host with one address of a
/// /64 usually has all of them. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) counts as the IPv4 address.
///
/// ```
/// use std::net::IpAddr;
///
/// use roomwire_core::AddressKey;
///
/// let key = |text: &str| Ok::<_, std::net::AddrParseError>(AddressKey::from(text.parse::<IpAddr>()?));
/// assert_eq!(key("2001:db8::1")?, key("2001:db8::2")?);
/// assert_ne!(key("192.0.2.1")?, key("192.0.2.2")?);
/// # Ok::<_, std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(Counted);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6(u64),
}

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => Counted::V4(address),
            IpAddr::V6(address) => Counted::V6((address.to_bits() >> 64) as u64),
        })
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Counted::V4(address) => address.fmt(f),
            Counted::V6(prefix) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*prefix) << 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::AddressKey;

    fn key(text: &str) -> AddressKey {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn an_ipv6_address_counts_with_its_64_and_an_ipv4_address_alone_however_it_is_written() {
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("::ffff:192.0.2.1"), key("::ffff:192.0.2.2"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_eq!(key("192.0.2.1").to_string(), "192.0.2.1");
    }
}
