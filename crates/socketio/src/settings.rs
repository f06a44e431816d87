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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use roomwire_core::{WebSocketConfig, config::Transport};
    use roomwire_service::{Dispatcher, Gateway, WebSocketService};
    use roomwire_state_memory::MemoryState;

    use crate::{SessionRequest, Sessions};

    #[tokio::test]
    async fn a_session_keeps_the_settings_that_it_was_opened_with_and_the_next_has_the_new_ones() {
        let builder = WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new());
        let service = builder.build().await.expect("builds");
        let sessions = Sessions::new(Dispatcher::new(service.clone(), Gateway::new()).expect("no mistakes"));
        let open = || sessions.open(SessionRequest::default(), Transport::Polling, ());
        let (first, second) = (open(), open());
        assert!(Arc::ptr_eq(&first.inner().settings, &second.inner().settings), "they share them");

        let mut new = (*service.config()).clone();
        (new.limits.send_buffer, new.limits.send_buffer_bytes) = (17, 2000);
        new.limits.write_timeout = Duration::from_secs(1);
        let reload = service.reload(new).await.expect("reloads");
        assert_eq!(reload.applied, ["limits.writeTimeout", "limits.sendBuffer", "limits.sendBufferBytes"]);
        let (before, after) = (first.inner().settings.bounds, open().inner().settings.bounds);
        assert_eq!((before.packets, before.bytes, before.write_timeout), (4096, 8_000_000, Duration::from_secs(10)));
        assert_eq!((after.packets, after.bytes, after.write_timeout), (17, 2000, Duration::from_secs(1)));
    }
}
