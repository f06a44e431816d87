//! What the configuration says about one session.

use std::sync::Arc;

use roomwire_core::WebSocketConfig;

use crate::{ReconnectRate, limits::SessionLimits, outbox::Bounds};

/// The configuration that was in force when a session was opened, and what follows from it. The session keeps it if
/// another is reloaded: its client was told the heartbeat and the size of messages in the open packet.
#[derive(Debug)]
pub(crate) struct SessionSettings {
    pub(crate) config: Arc<WebSocketConfig>,
    pub(crate) limits: SessionLimits,
    pub(crate) bounds: Bounds,
    /// How often one session may connect to namespaces. A connect costs as much as a session that connects to one
    /// namespace: it is authenticated and registered. Hence the keys for short sessions apply to it too.
    pub(crate) connects: ReconnectRate,
}

impl SessionSettings {
    /// For sessions that may connect to so many namespaces.
    pub(crate) fn new(config: Arc<WebSocketConfig>, namespaces: usize) -> Self {
        let limits = &config.limits;
        let namespaces = u32::try_from(namespaces).unwrap_or(u32::MAX);
        let connects = ReconnectRate::new(limits.reconnects_per_second, limits.reconnect_burst.max(namespaces));
        Self { limits: SessionLimits::from(limits), bounds: Bounds::from(limits), connects, config }
    }
}
