//! Delivers events to the connections of this node, and disconnects slow consumers.

use std::{sync::Arc, time::Duration};

use roomwire_core::{
    AckId, Answer, ClientId, ClientKey, Delivery, DisconnectReason, Error, ErrorCode, Escaped, LocalDelivery,
    OutboundEvent, Payload, RoomId, Undeliverable, UserId,
};

use super::Node;
use crate::{client::Client, membership::NamespaceState, metrics};

impl Node {
    /// Delivers to this node's members of a room, all in the same order.
    pub(crate) fn deliver_to_room(
        &self,
        namespace: &NamespaceState,
        room_name: &RoomId,
        except: Option<&ClientId>,
        event: &OutboundEvent,
    ) {
        let (Some(delivery), Some(room)) = (self.delivery.get(), namespace.room(room_name)) else { return };
        let outcome = room.with_members(|members| {
            let mut chosen = members.filter(|member| Some(*member) != except);
            delivery.deliver(namespace.name(), &mut chosen, event)
        });
        tracing::debug!(target: "roomwire", room_name = %Escaped(room_name), event = ?event.name, queued = outcome.queued, failed = outcome.failed.len(), "sent");
        self.complete_delivery(namespace, outcome);
    }

    /// Delivers to all clients of a namespace on this node.
    pub(crate) fn deliver_to_all(&self, namespace: &NamespaceState, except: Option<&ClientId>, event: &OutboundEvent) {
        let Some(delivery) = self.delivery.get() else { return };
        let outcome = namespace.with_clients(|clients| {
            let mut chosen = clients.filter(|client| Some(*client) != except);
            delivery.deliver(namespace.name(), &mut chosen, event)
        });
        tracing::debug!(
            target: "roomwire",
            namespace = %Escaped(namespace.name()), event = ?event.name, queued = outcome.queued, failed = outcome.failed.len(), "sent"
        );
        self.complete_delivery(namespace, outcome);
    }

    /// Delivers to all clients of a user in a namespace on this node.
    pub(crate) fn deliver_to_user(&self, namespace: &NamespaceState, user: &UserId, event: &OutboundEvent) {
        let Some(delivery) = self.delivery.get() else { return };
        let outcome = namespace.with_clients_of(user, |clients| delivery.deliver(namespace.name(), clients, event));
        tracing::debug!(
            target: "roomwire",
            namespace = %Escaped(namespace.name()), event = ?event.name, queued = outcome.queued, failed = outcome.failed.len(), "sent to a user"
        );
        self.complete_delivery(namespace, outcome);
    }

    /// Delivers to one client of this node.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND` if it is not connected here, or was disconnected because this message did not fit.
    pub(crate) fn deliver_to_client(
        &self,
        namespace: &NamespaceState,
        client: &ClientId,
        event: &OutboundEvent,
    ) -> Result<(), Error> {
        let Some(delivery) = self.delivery.get() else { return Err(ErrorCode::ClientNotFound.into()) };
        let outcome = delivery.deliver(namespace.name(), &mut std::iter::once(client), event);
        let reached = outcome.queued == 1;
        tracing::debug!(target: "roomwire", client = %Escaped(&client), event = ?event.name, reached, "sent");
        self.complete_delivery(namespace, outcome);
        if reached { Ok(()) } else { Err(ErrorCode::ClientNotFound.into()) }
    }

    /// The client's connection, if its send buffer is above the high watermark.
    pub(crate) fn behind(&self, client: &Client) -> Option<&Arc<dyn LocalDelivery>> {
        self.delivery.get().filter(|delivery| delivery.is_behind(client.key()))
    }

    /// Sends the acknowledgement a client asked for. Does nothing if the client has disconnected.
    pub(crate) fn acknowledge(&self, namespace: &NamespaceState, client: &ClientKey, ack: AckId, payload: &Payload) {
        let Some(delivery) = self.delivery.get() else { return };
        if let Err(problem) = delivery.acknowledge(client, ack, payload) {
            self.complete_delivery(namespace, Delivery { queued: 0, failed: vec![(client.client.clone(), problem)] });
        }
    }

    /// Sends an event to one client of this node and waits for its acknowledgement.
    pub(crate) async fn emit_with_ack_local(
        &self,
        client: &ClientKey,
        event: &OutboundEvent,
        timeout: Duration,
    ) -> Answer {
        let Some(delivery) = self.delivery.get() else { return Answer::Undelivered(Undeliverable::Gone) };
        let answer = delivery.ask(client, event, timeout).await;
        if answer == Answer::Undelivered(Undeliverable::BufferFull) {
            let namespace = self.namespace(&client.namespace);
            let failed = vec![(client.client.clone(), Undeliverable::BufferFull)];
            self.complete_delivery(&namespace, Delivery { queued: 0, failed });
        }
        answer
    }

    /// Starts to disconnect a client of this node. Returns false if it is not connected here.
    pub(crate) fn disconnect_local(
        &self,
        namespace: &NamespaceState,
        client: &ClientId,
        reason: DisconnectReason,
    ) -> bool {
        let Some(known) = namespace.client(client) else { return false };
        self.disconnect_here(&known, reason);
        true
    }

    /// Starts to disconnect all clients of a user in a namespace on this node.
    pub(crate) fn disconnect_user_here(&self, namespace: &NamespaceState, user: &UserId, reason: DisconnectReason) {
        for client in namespace.clients_of(user) {
            self.disconnect_here(&client, reason);
        }
    }

    /// Starts to disconnect a client of this node, whether it is activated or not. Does not affect a later session of
    /// the same id.
    pub(crate) fn disconnect_here(&self, client: &Client, reason: DisconnectReason) {
        let Some(_claim) = client.claim() else { return };
        client.note_reason(reason);
        if let Some(delivery) = self.delivery.get() {
            delivery.disconnect(client.key(), reason);
        }
    }

    /// Counts deliveries, and disconnects the clients that would otherwise have a silent gap.
    fn complete_delivery(&self, namespace: &NamespaceState, outcome: Delivery) {
        metrics::delivered(outcome.queued);
        for (client, problem) in outcome.failed {
            if problem == Undeliverable::BufferFull
                && let Some(client) = namespace.client(&client)
            {
                self.refusals.send_buffer_full(&client);
                self.disconnect_here(&client, DisconnectReason::SlowConsumer);
            }
        }
    }
}
