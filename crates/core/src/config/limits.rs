//! The limits of one client, and of one address.

use std::time::Duration;

use serde::Serialize;

use super::{ConfigKey, WebSocketConfig, sections::millis};

/// The limits of one client: `limits`.
///
/// Rates are refilled evenly: `events_per_second` 100 is one event every 10 ms, in addition to the unused burst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The largest message accepted on every transport, in bytes with all its attachments, 1024 to 67108864
    /// (64 MiB). 1000000 unless set.
    pub payload: usize,
    /// The most binary attachments of one event or answer, received or sent, 0 to 1000. 10 unless set: official clients
    /// end their connection at the eleventh.
    pub attachments: usize,
    /// How deep the arrays and objects of an event may be nested, 1 to 120. 32 unless set.
    pub depth: usize,
    /// The longest name of an event that a client may send, in bytes, 1 to 64. 64 unless set.
    pub event_name: usize,
    /// The longest id of a room that a client may join, in bytes, 1 to 128. 128 unless set.
    pub room_name: usize,
    /// The most rooms of which one client may be a member, 1 to 100000. 1000 unless set.
    pub rooms_per_client: usize,
    /// The largest metadata of one client or one room, in bytes as JSON, 0 to 1048576 (1 MiB). 16384 unless set.
    pub metadata: usize,
    /// The sustained rate of events of one client, per second, 1 to 1000000. 200 unless set.
    pub events_per_second: u32,
    /// The burst of events of one client, 1 to 1000000. 1000 unless set.
    pub event_burst: u32,
    /// The sustained rate of event bytes of one client, per second, 1024 to 1073741824 (1 GiB). 1000000 unless set.
    pub bytes_per_second: u32,
    /// The burst of event bytes of one client, 1024 to 1073741824 (1 GiB); one event within `payload` is always
    /// accepted. 8000000 unless set.
    pub byte_burst: u32,
    /// The most concurrent clients of one address, 1 to 1000000; an IPv6 address counts with its /64. Half of
    /// `max_connections` unless set: see [`WebSocketConfig::connections_per_address`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_per_address: Option<u32>,
    /// The sustained rate of short connections of one address, per second, 1 to 100000: those that end within five
    /// seconds. Longer connections do not count. 20 unless set.
    pub reconnects_per_second: u32,
    /// The most short connections of one address at once, 1 to 100000. 200 unless set.
    pub reconnect_burst: u32,
    /// The most headers of one request, 8 to 1000. 64 unless set.
    pub headers: usize,
    /// The largest head of one request with its address and all its headers, in bytes, 8192 to 1048576. 16384 unless
    /// set.
    pub header_bytes: usize,
    /// How long a connection may take to finish TLS, a request's head or its body, to connect to a namespace, and to
    /// connect to another namespace after it left its last. Whole milliseconds from 100 ms to 10 minutes. 10 s unless
    /// set.
    #[serde(serialize_with = "millis")]
    pub handshake_timeout: Duration,
    /// How long a peer may read nothing of the data sent to it before its connection is closed, whole milliseconds from
    /// 100 ms to 10 minutes. 10 s unless set.
    #[serde(serialize_with = "millis")]
    pub write_timeout: Duration,
    /// How many events of one client may be queued before the server stops reading from it, 16 to 65536. 1024 unless
    /// set.
    pub mailbox: usize,
    /// How many packets may be queued for one client before it is disconnected as a slow consumer, 16 to 65536. 4096
    /// unless set.
    pub send_buffer: usize,
    /// How many bytes may be queued for one client before it is disconnected as a slow consumer, 1024 to 1073741824 (1
    /// GiB); one message is always accepted. 8000000 unless set.
    pub send_buffer_bytes: usize,
    /// How long a client may send no event before it is disconnected, whole milliseconds up to a day; 0 is no limit.
    /// Heartbeats and acknowledgements are no events: a client that only listens is disconnected. 0 unless set.
    #[serde(serialize_with = "millis")]
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 1_000_000,
            attachments: 10,
            depth: 32,
            event_name: crate::EventName::MAX_BYTES,
            room_name: crate::RoomId::MAX_BYTES,
            rooms_per_client: 1000,
            metadata: 16_384,
            events_per_second: 200,
            event_burst: 1000,
            bytes_per_second: 1_000_000,
            byte_burst: 8_000_000,
            connections_per_address: None,
            reconnects_per_second: 20,
            reconnect_burst: 200,
            headers: 64,
            header_bytes: 16_384,
            handshake_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            mailbox: 1024,
            send_buffer: 4096,
            send_buffer_bytes: 8_000_000,
            idle_timeout: Duration::ZERO,
        }
    }
}

impl Limits {
    /// The maximum of each key, practically no limits. For tests and benchmarks, and for servers with trusted clients
    /// only.
    #[must_use]
    pub fn unlimited() -> Self {
        let mut config = WebSocketConfig::default();
        for key in ConfigKey::all().filter(|key| key.name().starts_with("limits.")) {
            key.field(&mut config).widen();
        }
        config.limits
    }

    /// The same limits, with the rates of [`unlimited`](Self::unlimited): any number of events, bytes and connections
    /// per second. For tests that send faster than people type.
    #[must_use]
    pub fn without_rates(self) -> Self {
        let most = Self::unlimited();
        Self {
            events_per_second: most.events_per_second,
            event_burst: most.event_burst,
            bytes_per_second: most.bytes_per_second,
            byte_burst: most.byte_burst,
            connections_per_address: most.connections_per_address,
            reconnects_per_second: most.reconnects_per_second,
            reconnect_burst: most.reconnect_burst,
            ..self
        }
    }
}

impl WebSocketConfig {
    /// The keys of limits that limit nothing: `maxConnections` and those of `limits` that have the largest allowed value
    /// although their default is smaller, and `limits.connectionsPerAddress` if it is not below `maxConnections`.
    #[must_use]
    pub fn disabled_limits(&self) -> Vec<&'static str> {
        let (mut config, mut defaults) = (self.clone(), Self::default());
        let mut is_disabled = |key: &ConfigKey| match key.name() {
            "limits.connectionsPerAddress" => self.connections_per_address() >= self.max_connections,
            name if name == "maxConnections" || name.starts_with("limits.") => {
                key.field(&mut config).is_widest() && !key.field(&mut defaults).is_widest()
            }
            _ => false,
        };
        ConfigKey::all().filter(|key| is_disabled(key)).map(ConfigKey::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::config::{ConfigKey, WebSocketConfig};

    #[test]
    fn limits_that_limit_nothing_are_named() {
        let mut config = WebSocketConfig::default();
        assert_eq!(config.disabled_limits(), Vec::<&str>::new(), "those with the largest value as default are none");
        config.limits.event_burst = 1_000_000;
        config.limits.connections_per_address = Some(config.max_connections);
        assert_eq!(config.disabled_limits(), ["limits.eventBurst", "limits.connectionsPerAddress"]);
        config.limits = Limits::unlimited();
        config.max_connections = u32::MAX;
        let disabled = config.disabled_limits();
        assert!(disabled.contains(&"maxConnections") && disabled.contains(&"limits.payload"), "{disabled:?}");
        assert!(!disabled.contains(&"limits.eventName"), "{disabled:?}");
    }

    #[test]
    fn unlimited_is_allowed_and_nothing_above_it_is() {
        let config = WebSocketConfig { limits: Limits::unlimited(), ..WebSocketConfig::default() };
        config.validate().expect("allowed");
        let keys = ConfigKey::all().filter(|key| key.name().starts_with("limits."));
        let mut count = 0;
        for key in keys {
            let mut more = config.clone();
            let config::ValueKind::U64(most) = key.field(&mut more).value() else { panic!("{key:?} is no number") };
            assert!(!key.field(&mut more).take(&config::ValueKind::U64(most + 1)), "{key:?} allows more than {most}");
            count += 1;
        }
        let fields = serde_json::to_value(Limits::unlimited()).expect("serializes");
        assert_eq!(Some(count), fields.as_object().map(serde_json::Map::len), "every limit has a key");
    }
}
