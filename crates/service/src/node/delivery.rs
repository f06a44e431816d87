//! Delivers events to the clients of this node, and disconnects slow consumers.

use std::time::{Duration, Instant};

use roomwire_core::{
    AckId, Answer, ClientId, DisconnectReason, Error, ErrorCode, OutboundEvent, Payload, RoomId, Undeliverable, UserId,
};

use super::Node;
use crate::{
    follow::{FollowTarget, Followers, Sending},
    local::{Client, NamespaceState},
};

/// The result of queueing one event for several clients.
#[derive(Debug, Default)]
struct Delivery {
    /// The number of clients that the event was queued for.
    queued: usize,
    /// The number of clients that did not get the event.
    failed: usize,
    /// Those with a full send buffer.
    slow: Vec<Client>,
}

impl Delivery {
    /// The numbers of clients that the event was queued for, and that did not get it.
    fn counts(&self) -> (usize, usize) {
        (self.queued, self.failed)
    }

    fn send(&mut self, client: &Client, event: &OutboundEvent) {
        match client.transport().send(event) {
            Ok(()) => self.queued += 1,
            Err(problem) => {
                self.failed += 1;
                if problem == Undeliverable::BufferFull {
                    self.slow.push(client.clone());
                }
            }
        }
    }
}

impl Node {
    /// Delivers to this node's members of a room, all in the same order.
    pub(crate) fn deliver_to_room(
        &self,
        namespace: &NamespaceState,
        room_name: &RoomId,
        except: Option<&ClientId>,
        event: &OutboundEvent,
    ) {
        let Some(room) = namespace.room(room_name) else {
            if self.followers.is_active() {
                let message = Sending::to_room(namespace.name(), room_name, except, &|_| false);
                self.followers.sent(&message, event, (0, 0));
            }
            return;
        };
        let (mut delivery, mut is_shown) = (Delivery::default(), false);
        room.with_members(|members| {
            members.for_each(except, |member| delivery.send(member, event));
            if self.followers.is_active() {
                // Under the lock, so that a follower sees the order of the members.
                let reaches = |target: &FollowTarget| match target {
                    FollowTarget::Client(client) => except != Some(client) && members.has(client),
                    FollowTarget::User(user) => members.has_user(user, except),
                    FollowTarget::All | FollowTarget::Room(_) => false,
                };
                let message = Sending::to_room(namespace.name(), room_name, except, &reaches);
                is_shown = self.followers.sent_unlogged(&message, event, delivery.counts());
            }
        });
        if is_shown {
            // Without the lock: a log may block.
            let message = Sending::to_room(namespace.name(), room_name, except, &|_| false);
            Followers::log_sent(&message, event, delivery.counts());
        }
        self.complete_delivery(delivery);
    }

    /// Delivers to all clients of a namespace on this node.
    pub(crate) fn deliver_to_all(&self, namespace: &NamespaceState, except: Option<&ClientId>, event: &OutboundEvent) {
        let mut delivery = Delivery::default();
        namespace.for_each_client(except, |client| delivery.send(client, event));
        if self.followers.is_active() {
            let reaches = |target: &FollowTarget| match target {
                FollowTarget::Client(client) => except != Some(client) && namespace.client(client).is_some(),
                FollowTarget::User(user) => namespace.clients_of(user).iter().any(|client| Some(client.id()) != except),
                FollowTarget::All | FollowTarget::Room(_) => false,
            };
            self.followers.sent(&Sending::to_all(namespace.name(), except, &reaches), event, delivery.counts());
        }
        self.complete_delivery(delivery);
    }

    /// Delivers to all clients of a user in a namespace on this node.
    pub(crate) fn deliver_to_user(&self, namespace: &NamespaceState, user: &UserId, event: &OutboundEvent) {
        let mut delivery = Delivery::default();
        namespace.for_each_client_of(user, |client| delivery.send(client, event));
        if self.followers.is_active() {
            let reaches = |target: &FollowTarget| match target {
                FollowTarget::Client(client) => {
                    namespace.client(client).is_some_and(|client| client.user() == Some(user))
                }
                FollowTarget::All | FollowTarget::Room(_) | FollowTarget::User(_) => false,
            };
            self.followers.sent(&Sending::to_user(namespace.name(), user, &reaches), event, delivery.counts());
        }
        self.complete_delivery(delivery);
    }

    /// Delivers to one client of this node.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND` if it has disconnected, or is disconnected because this message did not fit.
    pub(crate) fn deliver_to_client(&self, client: &Client, event: &OutboundEvent) -> Result<(), Error> {
        let mut delivery = Delivery::default();
        delivery.send(client, event);
        let reached = delivery.queued == 1;
        if self.followers.is_active() {
            let message = Sending::to_client(client.namespace(), client.id(), client.user());
            self.followers.sent(&message, event, delivery.counts());
        }
        self.complete_delivery(delivery);
        if reached { Ok(()) } else { Err(ErrorCode::ClientNotFound.into()) }
    }

    /// Sends the acknowledgement a client asked for. Does nothing if the client has disconnected.
    pub(crate) fn acknowledge(&self, client: &Client, ack: AckId, payload: &Payload) {
        match client.transport().acknowledge(ack, payload) {
            Ok(()) => self.metrics.acknowledgements_queued.increment(1),
            Err(Undeliverable::BufferFull) => self.disconnect_slow_consumer(client),
            Err(Undeliverable::Gone) => {}
        }
    }

    /// Sends an event to one client of this node and waits for its acknowledgement.
    pub(crate) async fn emit_with_ack_local(
        &self,
        client: &Client,
        event: &OutboundEvent,
        timeout: Duration,
    ) -> Answer {
        let began = Instant::now();
        let answer = client.transport().emit_with_ack(event, timeout).await;
        if self.followers.is_active() {
            let (payload, outcome) = match &answer {
                Answer::Acknowledged(payload) => (Some(payload), "OK"),
                Answer::TimedOut => (None, ErrorCode::Timeout.as_str()),
                Answer::Undelivered(_) => (None, ErrorCode::ClientNotFound.as_str()),
            };
            let message = Sending::to_client(client.namespace(), client.id(), client.user());
            self.followers.ack_requested(&message, event, (payload, outcome, began.elapsed()));
        }
        match answer {
            Answer::Acknowledged(_) | Answer::TimedOut => self.metrics.messages_queued.increment(1),
            Answer::Undelivered(Undeliverable::Gone) => self.metrics.messages_dropped(1, 0),
            Answer::Undelivered(Undeliverable::BufferFull) => {
                self.metrics.messages_dropped(0, 1);
                self.disconnect_slow_consumer(client);
            }
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

    /// Starts to disconnect a client of this node, whether it is activated or not.
    pub(crate) fn disconnect_here(&self, client: &Client, reason: DisconnectReason) {
        client.note_reason(reason);
        client.transport().disconnect(reason);
    }

    /// Counts deliveries, and disconnects the clients that would otherwise have a silent gap. Call it without the lock
    /// of the room or namespace: a transport may close its session at once.
    fn complete_delivery(&self, delivery: Delivery) {
        let slow = delivery.slow.len();
        self.metrics.messages_queued.increment(delivery.queued as u64);
        self.metrics.messages_dropped(delivery.failed - slow, slow);
        for client in delivery.slow {
            self.disconnect_slow_consumer(&client);
        }
    }

    fn disconnect_slow_consumer(&self, client: &Client) {
        self.refusals.send_buffer_full(client);
        self.disconnect_here(client, DisconnectReason::SlowConsumer);
    }
}
