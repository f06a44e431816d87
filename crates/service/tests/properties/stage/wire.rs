//! The connections of a node, as far as the service sees them: what it says to them is written down.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
    Undeliverable,
};
use roomwire_service::WebSocketService;

/// Takes nothing of what is sent, and remembers whom it was told to disconnect, but does not.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<Vec<(ClientId, DisconnectReason)>>);

impl Wire {
    /// The connections of this service.
    pub(crate) fn of(service: &WebSocketService) -> Arc<Self> {
        let wire = Arc::new(Self::default());
        service.attach_delivery(wire.clone()).expect("is not attached yet");
        wire
    }

    /// Who was to be disconnected, and why.
    pub(crate) fn disconnects(&self) -> Vec<(ClientId, DisconnectReason)> {
        self.0.lock().clone()
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

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        self.0.lock().push((client.client.clone(), reason));
    }
}
