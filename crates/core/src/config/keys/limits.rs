//! Limits: `limits`.

use super::{ConfigKey, DAY, TEN_MINUTES, key};
use crate::{EventName, RoomId, config::field::Field};

pub(super) static KEYS: &[ConfigKey] = &[
    key("limits.payload", "The largest message accepted on every transport, with all its attachments.", |c| {
        Field::bytes(&mut c.limits.payload, 1024..=64 * 1024 * 1024)
    })
    .for_new_clients(),
    key(
        "limits.attachments",
        "The most binary attachments of one event or acknowledgement, received or sent; official clients accept 10.",
        |c| Field::count(&mut c.limits.attachments, 0..=1000),
    )
    .at_once(),
    key("limits.depth", "How deep the arrays and objects of an event may be nested.", |c| {
        Field::count(&mut c.limits.depth, 1..=120)
    })
    .at_once(),
    key("limits.eventName", "The longest name of an event that a client may send.", |c| {
        Field::bytes(&mut c.limits.event_name, 1..=EventName::MAX_BYTES as u64)
    })
    .at_once(),
    key("limits.roomName", "The longest id of a room that a client may join.", |c| {
        Field::bytes(&mut c.limits.room_name, 1..=RoomId::MAX_BYTES as u64)
    })
    .at_once(),
    key("limits.roomsPerClient", "The most rooms of which one client may be a member.", |c| {
        Field::count(&mut c.limits.rooms_per_client, 1..=100_000)
    })
    .at_once(),
    key("limits.metadata", "The largest metadata of one client or one room, as JSON.", |c| {
        Field::bytes(&mut c.limits.metadata, 0..=1 << 20)
    })
    .at_once(),
    key("limits.eventsPerSecond", "The sustained rate of events of one client, per second.", |c| {
        Field::count(&mut c.limits.events_per_second, 1..=1_000_000)
    })
    .for_new_clients(),
    key("limits.eventBurst", "The burst of events of one client.", |c| {
        Field::count(&mut c.limits.event_burst, 1..=1_000_000)
    })
    .for_new_clients(),
    key("limits.bytesPerSecond", "The sustained rate of event bytes of one client, per second.", |c| {
        Field::bytes(&mut c.limits.bytes_per_second, 1024..=1 << 30)
    })
    .for_new_clients(),
    key("limits.byteBurst", "The burst of event bytes of one client; at least one event.", |c| {
        Field::bytes(&mut c.limits.byte_burst, 1024..=1 << 30)
    })
    .for_new_clients(),
    key(
        "limits.connectionsPerAddress",
        "The most concurrent clients of one address; an IPv6 address counts with its /64.",
        |c| Field::Derived {
            field: &mut c.limits.connections_per_address,
            range: 1..=1_000_000,
            rule: "half of maxConnections",
        },
    )
    .at_once(),
    key(
        "limits.reconnectsPerSecond",
        "The sustained rate of short connections of one address, per second: those that end within five seconds.",
        |c| Field::count(&mut c.limits.reconnects_per_second, 1..=100_000),
    )
    .at_once(),
    key("limits.reconnectBurst", "The most short connections of one address at once.", |c| {
        Field::count(&mut c.limits.reconnect_burst, 1..=100_000)
    })
    .at_once(),
    key("limits.headers", "The most headers of one request.", |c| Field::count(&mut c.limits.headers, 8..=1000))
    .for_new_clients(),
    key("limits.headerBytes", "The largest head of one request, with its address and all its headers.", |c| {
        Field::bytes(&mut c.limits.header_bytes, 8192..=1 << 20)
    })
    .for_new_clients(),
    key(
        "limits.handshakeTimeout",
        "How long a connection may take to finish TLS, a request's head or body, or to connect to a namespace.",
        |c| Field::millis(&mut c.limits.handshake_timeout, 100..=TEN_MINUTES),
    )
    .for_new_clients(),
    key(
        "limits.writeTimeout",
        "How long a peer may read nothing of the data sent to it before its connection is closed.",
        |c| Field::millis(&mut c.limits.write_timeout, 100..=TEN_MINUTES),
    )
    .for_new_clients(),
    key(
        "limits.mailbox",
        "How many events of one client may be queued before the server stops reading from it.",
        |c| Field::count(&mut c.limits.mailbox, 16..=65_536),
    )
    .for_new_clients(),
    key(
        "limits.sendBuffer",
        "How many packets may be queued for one client before it is disconnected as a slow consumer.",
        |c| Field::count(&mut c.limits.send_buffer, 16..=65_536),
    )
    .for_new_clients(),
    key(
        "limits.sendBufferBytes",
        "How many bytes may be queued for one client before it is disconnected as a slow consumer; at least one message.",
        |c| Field::bytes(&mut c.limits.send_buffer_bytes, 1024..=1 << 30),
    )
    .for_new_clients(),
    key(
        "limits.idleTimeout",
        "How long a client may send no event before it is disconnected; 0 is no limit. Clients that only listen send none.",
        |c| Field::millis(&mut c.limits.idle_timeout, 0..=DAY),
    )
    .at_once(),
];
