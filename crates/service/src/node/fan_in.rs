//! Handles the messages of other nodes one after the other.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::StreamExt;
use roomwire_core::{
    Answer, BackplaneEvent, BackplaneEvents, Channel, ClientId, Conflation, ConflationKey, EncodedPayload, Envelope,
    Escaped, EventName, NameError, Namespace, NodeMessage, NodeProcess, OutboundEvent, Payload, RoomId,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::Node;
use crate::{
    limits,
    local::{Client, NamespaceState},
};

/// Runs until the token is cancelled, the backplane is closed or the node is dropped.
pub(super) fn spawn(node: Weak<Node>, mut incoming: BackplaneEvents, stop: CancellationToken) {
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        while let Some(event) = incoming.next().await {
            let Some(node) = node.upgrade() else { return };
            match event {
                BackplaneEvent::Message(bytes) => node.receive(&bytes),
                BackplaneEvent::Interrupted => node.backend.backplane_is_away(),
                BackplaneEvent::Gap => node.backend.backplane_had_a_gap(),
                BackplaneEvent::Refused(refusal) => node.backend.note_refusal(&refusal),
                BackplaneEvent::Unreadable(reason) => node.backend.message_is_lost(&reason),
            }
        }
        // The backplane was closed. If this node closed it, this is ignored.
        if let Some(node) = node.upgrade() {
            node.backend.backplane_is_away();
        }
    }));
}

impl Node {
    /// Handles one message. Never waits: longer work is spawned as a task.
    fn receive(self: &Arc<Self>, bytes: &[u8]) {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => return self.backend.message_is_lost(&error),
        };
        if envelope.from.is_of(&self.process) {
            return;
        }
        if *envelope.sender() == self.id {
            self.twins.note(&self.incarnation.current(), &envelope.from);
        }
        let sender = envelope.from.process();
        let is_event = matches!(
            envelope.message,
            NodeMessage::ToRoom { .. }
                | NodeMessage::ToAll { .. }
                | NodeMessage::ToClient { .. }
                | NodeMessage::ToUser { .. }
        );
        let delivers = is_event || matches!(envelope.message, NodeMessage::AckRequest { .. });
        let span = if delivers { self.delivery_span(&envelope) } else { Span::none() };
        span.in_scope(|| self.handle_message(&sender, envelope.message));
        if is_event {
            self.metrics.backplane_delay(envelope.sent_at, self.clock.now());
        }
    }

    fn handle_message(self: &Arc<Self>, sender: &NodeProcess, message: NodeMessage) {
        match message {
            NodeMessage::ToRoom { room, except, event, payload, conflate } => {
                if let Some(event) =
                    self.outbound(sender, event, payload).and_then(|event| self.conflated(event, &room.room, conflate))
                {
                    let namespace = self.namespace(&room.namespace);
                    self.deliver_to_room(&namespace, &room.room, except.as_ref(), &event);
                }
            }
            NodeMessage::ToAll { namespace, except, event, payload } => {
                if let Some(event) = self.outbound(sender, event, payload) {
                    self.deliver_to_all(&self.namespace(&namespace), except.as_ref(), &event);
                }
            }
            NodeMessage::ToClient { namespace, client, event, payload } => {
                if let Some(event) = self.outbound(sender, event, payload) {
                    self.when_arrived(&namespace, &client, move |node, namespace, client| {
                        // If the client has disconnected, the message is dropped, as on its own node.
                        if let Some(client) = namespace.client(client) {
                            let _ = node.deliver_to_client(&client, &event);
                        }
                    });
                }
            }
            NodeMessage::AckRequest { request, namespace, clients, event, payload, timeout_ms } => {
                if let Some(event) = self.outbound(sender, event, payload) {
                    let timeout = Duration::from_millis(timeout_ms);
                    for client in clients {
                        let (sender, event) = (sender.clone(), event.clone());
                        self.when_arrived(&namespace, &client, move |node, namespace, client| {
                            let known = namespace.client(client);
                            node.clone().request_ack_for((sender, request), client.clone(), known, event, timeout);
                        });
                    }
                }
            }
            NodeMessage::AckResponse { request, client, payload } => {
                self.pending_acks.respond(request, client, payload.map(Payload::from));
            }
            NodeMessage::Disconnect { namespace, client, reason } => {
                self.when_arrived(&namespace, &client, move |node, namespace, client| {
                    node.disconnect_local(namespace, client, reason);
                });
            }
            NodeMessage::ToUser { namespace, user, event, payload } => {
                if let Some(event) = self.outbound(sender, event, payload) {
                    self.deliver_to_user(&self.namespace(&namespace), &user, &event);
                }
            }
            NodeMessage::DisconnectUser { namespace, user, reason } => {
                self.disconnect_user_here(&self.namespace(&namespace), &user, reason);
            }
            NodeMessage::Revoked(revocation) => self.revoked(&revocation),
            NodeMessage::Drain { node } => {
                if node == self.id {
                    self.lifecycle.request_drain();
                }
            }
            NodeMessage::Began => {}
            NodeMessage::RoomDeleted { room, uid } => {
                let node = self.clone();
                tokio::spawn(async move { node.forget_deleted_room(&room, uid).await });
            }
        }
    }

    /// Does something for a client of this node: at once, or when it is activated if it is only registered yet.
    fn when_arrived(
        self: &Arc<Self>,
        namespace: &Namespace,
        client: &ClientId,
        act: impl FnOnce(&Arc<Self>, &NamespaceState, &ClientId) + Send + 'static,
    ) {
        let (node, namespace, limit) =
            (Arc::downgrade(self), self.namespace(namespace), self.config().limits.send_buffer);
        let (arrivals, to) = (namespace.arrivals.clone(), client.clone());
        arrivals.run_or_defer(client, limit, move || {
            if let Some(node) = node.upgrade() {
                act(&node, &namespace, &to);
            }
        });
    }

    /// Requests an acknowledgement from one client of this node on behalf of another node. A client that is not
    /// connected does not acknowledge.
    fn request_ack_for(
        self: Arc<Self>,
        (requester, request): (NodeProcess, u64),
        client: ClientId,
        known: Option<Client>,
        event: OutboundEvent,
        timeout: Duration,
    ) {
        let answering = async move {
            let payload = match &known {
                Some(known) => match self.emit_with_ack_local(known, &event, timeout).await {
                    Answer::Acknowledged(payload) => Some(EncodedPayload::from(&payload)),
                    Answer::TimedOut | Answer::Undelivered(_) => None,
                },
                None => None,
            };
            let message = NodeMessage::AckResponse { request, client, payload };
            let Ok(bytes) = self.envelope(message) else { return };
            if let Err(error) =
                self.backend.bounded(self.backend.backplane.publish(&Channel::Node(requester), bytes)).await
            {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "an answer could not be passed on");
            }
        };
        tokio::spawn(answering.in_current_span());
    }

    /// An event from another node. `None` if it is not for this node's clients.
    fn outbound(&self, sender: &NodeProcess, name: String, payload: EncodedPayload) -> Option<OutboundEvent> {
        let name = match EventName::new(name) {
            Ok(name) => name,
            Err(error) => return self.unreadable(&error),
        };
        let payload = Payload::from(payload);
        if limits::attachments(&self.config().limits, &payload).is_err() {
            self.metrics.backplane_ignored.increment(1);
            self.refusals.attachments_of_node(sender.node());
            return None;
        }
        Some(OutboundEvent::new(name, payload))
    }

    fn conflated(&self, event: OutboundEvent, room: &RoomId, key: Option<String>) -> Option<OutboundEvent> {
        let Some(key) = key else { return Some(event) };
        match ConflationKey::new(key) {
            Ok(key) => Some(event.with_conflation(Conflation { room: room.clone(), key })),
            Err(error) => self.unreadable(&error),
        }
    }

    fn unreadable(&self, error: &NameError) -> Option<OutboundEvent> {
        self.backend.message_is_lost(error);
        None
    }
}
