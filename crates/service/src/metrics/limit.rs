//! The limits that clients exceed, by the names under which they are counted.

/// The limit that a client exceeded. The label names it: a configuration key, or a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Events,
    Bytes,
    Rooms,
    Metadata,
    Depth,
    EventName,
    RoomName,
    Payload,
    Attachments,
    Mailbox,
    Layer,
    Idle,
}

impl Limit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "eventsPerSecond",
            Self::Bytes => "bytesPerSecond",
            Self::Rooms => "roomsPerClient",
            Self::Metadata => "metadata",
            Self::Depth => "depth",
            Self::EventName => "eventName",
            Self::RoomName => "roomName",
            Self::Payload => "payload",
            Self::Attachments => "attachments",
            Self::Mailbox => "mailbox",
            Self::Layer => "rateLimitLayer",
            Self::Idle => "idleTimeout",
        }
    }
}

/// The values of the label: those of [`Limit`], and those that servers count.
pub(super) const LIMITS: &[&str] = &[
    Limit::Events.as_str(),
    Limit::Bytes.as_str(),
    Limit::Rooms.as_str(),
    Limit::Metadata.as_str(),
    Limit::Depth.as_str(),
    Limit::EventName.as_str(),
    Limit::RoomName.as_str(),
    Limit::Payload.as_str(),
    Limit::Attachments.as_str(),
    Limit::Mailbox.as_str(),
    Limit::Layer.as_str(),
    Limit::Idle.as_str(),
    "maxConnections",
    "connectionsPerAddress",
    "reconnectsPerSecond",
    "headers",
    "handshakeTimeout",
];
