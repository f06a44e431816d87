//! What the service sends, on its way to sockets.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, LocalDelivery, Namespace, OutboundEvent, Payload,
    Undeliverable,
};

use crate::{frame, namespace_sockets::NamespaceSockets, outbox::Load, socket::ClientSocket};

/// The sockets of all namespaces, as the service's port.
#[derive(Debug)]
pub(crate) struct SocketDelivery(HashMap<Namespace, Arc<NamespaceSockets>>);

impl SocketDelivery {
    pub(crate) fn new(namespaces: impl IntoIterator<Item = Arc<NamespaceSockets>>) -> Self {
        Self(namespaces.into_iter().map(|sockets| (sockets.name().clone(), sockets)).collect())
    }

    /// A client's socket, with those of its namespace.
    fn socket(&self, client: &ClientKey) -> Option<(&NamespaceSockets, Arc<ClientSocket>)> {
        let sockets = self.0.get(&client.namespace)?;
        Some((sockets, sockets.get(&client.client)?))
    }
}

#[async_trait]
impl LocalDelivery for SocketDelivery {
    fn deliver(
        &self,
        namespace: &Namespace,
        clients: &mut dyn Iterator<Item = &ClientId>,
        event: &OutboundEvent,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        let Some(sockets) = self.0.get(namespace) else { return delivery };
        let packet = frame::event(sockets.wire_name(), event);
        let (load, conflation) = (Load::of(&packet), event.conflation.as_ref());
        sockets.for_each(clients, |client, socket| {
            let sent = socket.ok_or(Undeliverable::Gone).and_then(|socket| socket.send(&packet, load, conflation));
            match sent {
                Ok(()) => delivery.queued += 1,
                Err(problem) => delivery.failed.push((client.clone(), problem)),
            }
        });
        delivery
    }

    fn acknowledge(&self, client: &ClientKey, ack: AckId, payload: &Payload) -> Result<(), Undeliverable> {
        let (sockets, socket) = self.socket(client).ok_or(Undeliverable::Gone)?;
        let packet = frame::acknowledgement(sockets.wire_name(), ack.0, payload);
        socket.send(&packet, Load::of(&packet), None)
    }

    fn is_behind(&self, client: &ClientKey) -> bool {
        self.socket(client).is_some_and(|(_, socket)| socket.above_high_watermark())
    }

    async fn caught_up(&self, client: &ClientKey) {
        if let Some((_, socket)) = self.socket(client) {
            socket.below_high_watermark().await;
        }
    }

    async fn ask(&self, client: &ClientKey, event: &OutboundEvent, timeout: Duration) -> Answer {
        let Some((sockets, socket)) = self.socket(client) else { return Answer::Undelivered(Undeliverable::Gone) };
        socket.ask(frame::event(sockets.wire_name(), event), timeout).await
    }

    fn disconnect(&self, client: &ClientKey, reason: DisconnectReason) {
        if let Some(sockets) = self.0.get(&client.namespace) {
            sockets.disconnect(&client.client, reason);
        }
    }
}
