//! The connections of a node, as far as the service sees them: what it says to them is written down.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
};
use roomwire_service::WebSocketService;

/// What the service said to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// An event, with its arguments.
    Event(ClientId, String, String),
    /// An acknowledgement, with its arguments.
    Acknowledged(ClientId, AckId, String),
    /// The order to end.
    Disconnect(ClientId, DisconnectReason),
}

/// Takes everything, of any client, and closes nothing by itself.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<Vec<Said>>);

impl Wire {
    /// The connections of this service.
    pub(crate) fn of(service: &WebSocketService) -> Arc<Self> {
        let wire = Arc::new(Self::default());
        service.attach_delivery(wire.clone()).expect("is not attached yet");
        wire
    }

    /// What was said since the last time.
    pub(crate) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[async_trait]
impl LocalDelivery for Wire {
    fn deliver(&self, _: &Namespace, clients: &mut dyn Iterator<Item = &ClientId>, event: &OutboundEvent) -> Delivery {
        let mut delivery = Delivery::default();
        for client in clients {
            let arguments = event.payload.arguments().to_owned();
            self.0.lock().push(Said::Event(client.clone(), event.name.to_string(), arguments));
            delivery.queued += 1;
        }
        delivery
    }

    fn acknowledge(
        &self,
        client: &ClientKey,
        ack: AckId,
        payload: &Payload,
    ) -> Result<(), roomwire_core::Undeliverable> {
        self.0.lock().push(Said::Acknowledged(client.client.clone(), ack, payload.arguments().to_owned()));
        Ok(())
    }

    async fn ask(&self, _: &ClientKey, _: &OutboundEvent, _: Duration) -> Answer {
        Answer::TimedOut
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        self.0.lock().push(Said::Disconnect(client.client.clone(), reason));
    }
}
