//! The connections of a node, as far as the service sees them: what it says to them is written down.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
    Undeliverable,
};
use roomwire_service::WebSocketService;
use tokio::sync::watch;

/// Takes nothing of what is sent, and remembers whom it was told to disconnect, but does not.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    disconnects: Mutex<Vec<(ClientId, DisconnectReason)>>,
    is_behind: watch::Sender<bool>,
}

impl Wire {
    /// The connections of this service.
    pub(crate) fn of(service: &WebSocketService) -> Arc<Self> {
        let wire = Arc::new(Self::default());
        service.attach_delivery(wire.clone()).expect("is not attached yet");
        wire
    }

    /// Whether too much waits for its clients.
    pub(crate) fn set_behind(&self, behind: bool) {
        self.is_behind.send_replace(behind);
    }

    /// Who was to be disconnected, and why.
    pub(crate) fn disconnects(&self) -> Vec<(ClientId, DisconnectReason)> {
        self.disconnects.lock().clone()
    }
}

#[async_trait]
impl LocalDelivery for Wire {
    fn deliver(&self, _: &Namespace, clients: &mut dyn Iterator<Item = &ClientId>, _: &OutboundEvent) -> Delivery {
        Delivery { queued: clients.count(), failed: Vec::new() }
    }

    fn acknowledge(&self, _: &ClientKey, _: AckId, _: &Payload) -> Result<(), Undeliverable> {
        Ok(())
    }

    async fn ask(&self, _: &ClientKey, _: &OutboundEvent, _: Duration) -> Answer {
        Answer::TimedOut
    }

    fn is_behind(&self, _: &ClientKey) -> bool {
        *self.is_behind.borrow()
    }

    async fn caught_up(&self, _: &ClientKey) {
        self.is_behind.subscribe().wait_for(|behind| !behind).await.expect("is there");
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        self.disconnects.lock().push((client.client.clone(), reason));
    }
}
