//! What other nodes say, taken in one after the other.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::StreamExt;
use roomwire_core::{
    Answer, BackplaneEvent, BackplaneEvents, Channel, ClientKey, Conflation, ConflationKey, EncodedPayload, Envelope,
    EventName, NameError, NodeId, NodeMessage, OutboundEvent, Payload, Printable, RoomId,
};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::instruments;

/// Runs until the token is cancelled, the backplane is closed or the node is gone.
pub(super) fn spawn(node: Weak<Node>, mut incoming: BackplaneEvents, stop: CancellationToken) {
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        while let Some(event) = incoming.next().await {
            let Some(node) = node.upgrade() else { return };
            match event {
                BackplaneEvent::Message(bytes) => node.receive(&bytes),
                BackplaneEvent::Interrupted => node.backplane_is_away(),
                BackplaneEvent::Gap => node.backplane_had_a_gap(),
            }
        }
        // It was closed, and not by this node, which would have ended this task before.
        if let Some(node) = node.upgrade() {
            node.backplane_is_away();
        }
    }));
}

impl Node {
    /// Handles one message. Never waits: what takes time goes to a task of its own.
    fn receive(self: &Arc<Self>, bytes: &[u8]) {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                instruments::backplane_ignored();
                tracing::debug!(target: "roomwire", error = %Printable(&error), "message was ignored");
                return;
            }
        };
        if *envelope.sender() == self.id {
            return;
        }
        let sender = envelope.sender().clone();
        match envelope.message {
            NodeMessage::ToRoom { room, except, event, payload, conflate } => {
                if let Some(event) = outbound(event, payload).and_then(|event| conflated(event, &room.room, conflate)) {
                    let namespace = self.namespace(&room.namespace);
                    self.deliver_to_room(&namespace, &room.room, except.as_ref(), &event);
                }
            }
            NodeMessage::ToAll { namespace, except, event, payload } => {
                if let Some(event) = outbound(event, payload) {
                    self.deliver_to_all(&self.namespace(&namespace), except.as_ref(), &event);
                }
            }
            NodeMessage::ToClient { namespace, client, event, payload } => {
                if let Some(event) = outbound(event, payload) {
                    // A client that is gone by now misses it, as it would on its own node.
                    let _ = self.deliver_to_client(&self.namespace(&namespace), &client, &event);
                }
            }
            NodeMessage::Ask { question, namespace, clients, event, payload, timeout_ms } => {
                if let Some(event) = outbound(event, payload) {
                    let timeout = Duration::from_millis(timeout_ms);
                    for client in clients {
                        let client = ClientKey::new(namespace.clone(), client);
                        self.clone().answer_for(sender.clone(), question, client, event.clone(), timeout);
                    }
                }
            }
            NodeMessage::Answered { question, client, answer } => {
                self.questions.answered(question, client, answer.map(Payload::from));
            }
            NodeMessage::Disconnect { namespace, client, reason } => {
                self.disconnect_local(&self.namespace(&namespace), &client, reason);
            }
            NodeMessage::ToUser { namespace, user, event, payload } => {
                if let Some(event) = outbound(event, payload) {
                    self.deliver_to_user(&self.namespace(&namespace), &user, &event);
                }
            }
            NodeMessage::DisconnectUser { namespace, user, reason } => {
                self.disconnect_user_here(&self.namespace(&namespace), &user, reason);
            }
            NodeMessage::Revoked(revocation) => self.revoked(&revocation),
            NodeMessage::RoomDeleted { room, uid } => {
                let node = self.clone();
                tokio::spawn(async move { node.forget_deleted_room(&room, uid).await });
            }
        }
    }

    /// Asks one client of this node on behalf of another node.
    fn answer_for(
        self: Arc<Self>,
        asker: NodeId,
        question: u64,
        client: ClientKey,
        event: OutboundEvent,
        timeout: Duration,
    ) {
        tokio::spawn(async move {
            let answer = match self.ask_local(&client, &event, timeout).await {
                Answer::Acknowledged(payload) => Some(EncodedPayload::from(&payload)),
                Answer::TimedOut | Answer::Undelivered(_) => None,
            };
            let message = NodeMessage::Answered { question, client: client.client, answer };
            let Ok(bytes) = self.envelope(message) else { return };
            if let Err(error) = self.bounded(self.backplane.publish(&Channel::Node(asker), bytes)).await {
                tracing::debug!(target: "roomwire", error = %Printable(&error), "an answer could not be passed on");
            }
        });
    }
}

fn outbound(name: String, payload: EncodedPayload) -> Option<OutboundEvent> {
    match EventName::new(name) {
        Ok(name) => Some(OutboundEvent::new(name, payload.into())),
        Err(error) => ignored(&error),
    }
}

fn conflated(event: OutboundEvent, room: &RoomId, key: Option<String>) -> Option<OutboundEvent> {
    let Some(key) = key else { return Some(event) };
    match ConflationKey::new(key) {
        Ok(key) => Some(OutboundEvent { conflation: Some(Conflation { room: room.clone(), key }.into()), ..event }),
        Err(error) => ignored(&error),
    }
}

fn ignored(error: &NameError) -> Option<OutboundEvent> {
    instruments::backplane_ignored();
    tracing::debug!(target: "roomwire", error = %Printable(&error), "message was ignored");
    None
}
