//! Registers, activates and deregisters clients.

use std::sync::Arc;

use roomwire_core::{Channel, ClientId, DisconnectReason, Error, ErrorCode, Escaped, NewClient, RoomId, StateError};
use tokio::sync::oneshot;

use crate::{
    ServiceEvent,
    backend::Deadline,
    local::{Arrival, Client, ClientIdClaim, ClientInit, HANDLER_GRACE, LocalRoom, NamespaceState, take_out},
    node::{EndedClient, Node},
};

impl Node {
    /// Registers a client with the store, once a former session of its id has ended. It takes part in nothing until
    /// [`Self::activate`].
    pub(crate) async fn register(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        new: NewClient,
        init: ClientInit,
    ) -> Result<Client, Error> {
        self.lifecycle.check_running()?;
        let claim = self.claim_client_id(namespace, &new.key.client).await?;
        // The node may have begun to shut down meanwhile.
        self.lifecycle.check_running()?;
        let until = self.backend.deadline();
        self.hear_namespace(namespace, until).await?;
        // The disconnect of an earlier client of this id is reported before the connect of this one.
        self.confirm_ends(&new.key, until).await?;
        // From the moment the store knows the client, other nodes may send to it.
        let arrival = namespace.arrivals.begin(&new.key.client);
        let mut healed = false;
        loop {
            let incarnation = until.turn(self.incarnation.lock()).await?;
            let connect = || async {
                self.reap_lost_incarnations_within(until, &incarnation).await?;
                self.backend.store.connect(&incarnation, &new).await
            };
            match self.backend.retrying(until, connect).await {
                Ok(()) => {
                    let registered = (incarnation.clone(), self.restorations());
                    return Ok(Client::new(&new, init, registered, (claim, arrival)));
                }
                Err(StateError::Fenced) if !healed => {
                    let lost = incarnation.clone();
                    drop(incarnation);
                    self.re_register_within(until, lost).await?;
                    healed = true;
                }
                Err(error) => {
                    if error.is_uncertain() {
                        // It may have succeeded nevertheless.
                        self.metrics.rolled_back("connect");
                        self.end_failed_connect(&new.key);
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Activates a registered client. Returns false if it has disconnected.
    pub(crate) fn activate(&self, namespace: &NamespaceState, client: &Client) -> bool {
        let mut known = client.known();
        if known.gone {
            return false;
        }
        namespace.add_client(client.clone());
        let (incarnation, restorations) = client.registered();
        self.metrics.client_connected();
        if *incarnation == self.incarnation.current() {
            known.told = true;
            self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
            if *restorations != self.restorations() {
                // This was the state when the store lost them.
                self.backend.compare_at_once();
            }
        } else {
            // The node lost its lease since, and re-registered the clients that were active by then. The end of the lost
            // incarnation may be reported only now, so this client is reported when it is re-registered.
            self.note_incomplete();
        }
        let arrival = known.arrival.take();
        drop(known);
        if !arrival.is_none_or(Arrival::end) {
            // Nothing follows a gap.
            self.disconnect_here(client, DisconnectReason::SlowConsumer);
        }
        self.expiries.watch(client);
        self.disconnect_revoked(std::slice::from_ref(client));
        true
    }

    /// Removes a client from everything, once, whatever it is doing. Returns the rooms it was in.
    ///
    /// Waits for a join of this client in flight, so that none can follow. Sends its rooms to `gone` as soon as it
    /// is in none of them; a room that is deleted at that moment may be among them. Its end is reported when the store
    /// has confirmed it.
    pub(crate) async fn deregister(
        self: Arc<Self>,
        namespace: Arc<NamespaceState>,
        client: Client,
        reason: DisconnectReason,
        gone: oneshot::Sender<Vec<RoomId>>,
    ) -> Vec<RoomId> {
        let membership = client.change_membership().await;
        let (memberships, mut end, claim) = {
            let mut known = client.known();
            if std::mem::replace(&mut known.gone, true) {
                return Vec::new();
            }
            known.left = known.rooms.iter().map(|membership| membership.room.clone()).collect();
            drop(known.arrival.take());
            let end = EndedClient {
                // Under the lock: a client is marked before its incarnation is replaced.
                incarnation: self.incarnation.current(),
                reason,
                is_reported: known.told,
            };
            // The claim lasts to the end, also in case of a panic.
            (std::mem::take(&mut known.rooms), end, known.claim.take())
        };
        // No join can succeed any more.
        drop(membership);
        self.expiries.forget(&client);
        end.reason = client.reason_or(reason);
        let reason = end.reason;
        let welcomed = namespace.client(client.id()).as_ref() == Some(&client);
        namespace.remove_client(&client);
        let locals: Vec<Arc<LocalRoom>> =
            memberships.iter().filter_map(|known| take_out(&namespace, &client, &known.room)).collect();
        // A caller that has stopped waiting regards it as disconnected.
        let _ = gone.send(client.left_rooms());
        self.end_client(client.key(), end, &memberships);
        let removed_by_others = match self.confirm_ends(client.key(), self.backend.deadline()).await {
            Ok(removed) => removed,
            Err(error) => {
                tracing::debug!(target: "roomwire", client = %Escaped(client.id()), error = %Escaped(&error), "the store is told later of a disconnect");
                Vec::new()
            }
        };
        if let Some(claim) = &claim {
            claim.deregistered();
        }
        let mut rooms = client.left_rooms();
        rooms.retain(|room| !removed_by_others.contains(&client.room_key(room)));
        client.known().left.clone_from(&rooms);
        let until = self.backend.deadline();
        for local in locals {
            namespace.exit_room(&self.backend, &local, until).await;
        }
        if welcomed {
            self.metrics.client_disconnected(reason.as_str());
            if reason == DisconnectReason::SlowConsumer {
                self.metrics.slow_consumers.increment(1);
            }
        }
        rooms
    }

    /// Claims a client id for a new session. Waits for the end of a former session, which `state.timeout` does not
    /// bound: the client is not refused because its own former handler is slow.
    ///
    /// # Errors
    /// `TIMEOUT` if the former session does not end.
    async fn claim_client_id(&self, namespace: &NamespaceState, client: &ClientId) -> Result<ClientIdClaim, Error> {
        let claim = self.end_of_former_stay().turn(namespace.client_ids.claim(client)).await;
        claim.map_err(|late| {
            if namespace.client_ids.is_warning_due() {
                tracing::warn!(target: "roomwire", client = %Escaped(client), namespace = %Escaped(namespace.name()), "a client was refused: a former connection with its id has not ended");
            }
            let problem = "The former connection with this client id has not ended, try again later";
            Error::with_message(ErrorCode::Timeout, problem).with_source(late)
        })
    }

    /// The deadline of a reconnecting client that waits for the end of its former session: for an event handler and
    /// `on_disconnect`, for the store, and for messages about deleted rooms.
    fn end_of_former_stay(&self) -> Deadline {
        let handlers = 2 * HANDLER_GRACE;
        let store = self.started().retry_config.timeout.max(self.started().state.timeout);
        Deadline::within(handlers + store + self.look_again_after())
    }

    /// Subscribes to the namespace's channel, before its first client is activated or followed.
    pub(crate) async fn hear_namespace(&self, namespace: &NamespaceState, until: Deadline) -> Result<(), StateError> {
        // A caller in a retry backoff does not block others.
        self.backend
            .retrying(until, || async {
                let mut subscribed = namespace.subscribed.lock().await;
                if !*subscribed {
                    self.backend.backplane.subscribe(&Channel::Namespace(namespace.name().clone())).await?;
                    *subscribed = true;
                }
                Ok(())
            })
            .await
    }
}
