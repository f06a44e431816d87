//! Which server has which slots.

use redis::Value;

/// A server's host and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host:port`; the host may be an IPv6 address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The primaries and their slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topology {
    /// First and last slot of each range, sorted.
    ranges: Vec<(u16, u16, Address)>,
}

impl Topology {
    /// One server with all slots.
    pub(crate) fn single(server: Address) -> Self {
        Self { ranges: vec![(0, u16::MAX, server)] }
    }

    /// Parses the response to `CLUSTER SLOTS`. A server that does not know its own host has the address of the request.
    pub(crate) fn read(value: Value, asked: &Address) -> Option<Self> {
        let Value::Array(entries) = value else { return None };
        let mut ranges = Vec::with_capacity(entries.len());
        for entry in entries {
            let Value::Array(fields) = entry else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = fields.as_slice() else {
                return None;
            };
            let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
            let host = match host {
                Value::BulkString(bytes) if !bytes.is_empty() && bytes.as_slice() != b"?" => {
                    String::from_utf8(bytes.clone()).ok()?
                }
                _ => asked.host.clone(),
            };
            let address = Address { host, port: u16::try_from(*port).ok()? };
            ranges.push((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, address));
        }
        ranges.sort();
        Some(Self { ranges })
    }

    /// The server that has this slot. `None` if no server has it, as in a cluster under repair.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Address> {
        let after = self.ranges.partition_point(|(first, _, _)| *first <= slot);
        let (_, last, address) = self.ranges.get(after.checked_sub(1)?)?;
        (slot <= *last).then_some(address)
    }

    /// All primaries, each once.
    pub(crate) fn servers(&self) -> Vec<Address> {
        let mut servers: Vec<_> = self.ranges.iter().map(|(_, _, address)| address.clone()).collect();
        servers.sort();
        servers.dedup();
        servers
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Address, Topology};

    fn entry(first: i64, last: i64, host: &str, port: i64) -> Value {
        let primary = Value::Array(vec![Value::BulkString(host.into()), Value::Int(port)]);
        Value::Array(vec![Value::Int(first), Value::Int(last), primary])
    }

    #[test]
    fn a_slot_is_found_in_its_range_and_nowhere_else() {
        let asked = Address { host: "asked".to_owned(), port: 9 };
        let value = Value::Array(vec![entry(100, 200, "b", 2), entry(0, 50, "", 1)]);
        let topology = Topology::read(value, &asked).expect("reads");
        let owner = |slot| topology.owner(slot).map(ToString::to_string);
        assert_eq!(owner(0).as_deref(), Some("asked:1"));
        assert_eq!(owner(50).as_deref(), Some("asked:1"));
        assert_eq!(owner(51), None);
        assert_eq!(owner(100).as_deref(), Some("b:2"));
        assert_eq!(owner(201), None);
        assert_eq!(topology.servers().len(), 2);
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:6379", "host:1", "[::1]:6379"] {
            assert_eq!(Address::parse(text).expect("reads").to_string(), text);
        }
        assert_eq!(Address::parse("host"), None);
        assert_eq!(Address::parse("::1:6379").expect("as Redis writes it").host, "::1");
    }
}
