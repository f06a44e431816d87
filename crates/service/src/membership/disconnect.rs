//! A client comes and goes.

use std::sync::Arc;

use roomwire_core::{Channel, ClientId, DisconnectReason, Error, ErrorCode, Escaped, NewClient, RoomId, StateError};
use tokio::sync::oneshot;

use super::{Arrival, ClientIdClaim, LocalRoom, NamespaceState, leave::take_out};
use crate::{
    ServiceEvent,
    client::Client,
    metrics,
    node::{Deadline, EndedClient, Node},
    service::ClientInit,
};

impl Node {
    /// Registers a client with the store, once a former stay of its id has ended. It takes part in nothing until
    /// [`Self::activate`].
    pub(crate) async fn register(
        self: &Arc<Self>,
        namespace: &NamespaceState,
        new: NewClient,
        init: ClientInit,
    ) -> Result<Client, Error> {
        self.check_running()?;
        let claim = self.claim_client_id(namespace, &new.key.client).await?;
        // The node may have begun to stop meanwhile.
        self.check_running()?;
        let until = self.deadline();
        self.hear_namespace(namespace, until).await?;
        // A client of this id that went before is reported gone before this one is reported connected.
        self.confirm_ends(&new.key, until).await?;
        // From the moment the store knows the client, other nodes may send to it.
        let arrival = namespace.arrivals.begin(&new.key.client);
        let mut healed = false;
        loop {
            let incarnation = until.turn(self.incarnation.hold()).await?;
            let connect = || async {
                self.reap_lost_incarnations_within(until, &incarnation).await?;
                self.store.connect(&incarnation, &new).await
            };
            match self.retrying(until, connect).await {
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
                        // It may have happened all the same.
                        self.end_failed_connect(&new.key);
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Lets a registered client take part; false when it is gone already.
    pub(crate) fn activate(&self, namespace: &NamespaceState, client: &Client) -> bool {
        let mut known = client.known();
        if known.gone {
            return false;
        }
        namespace.add_client(client.clone());
        let (incarnation, restorations) = client.registered();
        metrics::client_connected();
        if *incarnation == self.incarnation.current() {
            known.told = true;
            self.events.send(|| ServiceEvent::ClientConnected { client: client.key().clone() });
            if *restorations != self.restorations() {
                // So it was when the store had forgotten them.
                self.compare_at_once();
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

    /// Takes a client out of everything, once, whatever it is doing; returns the rooms it was in.
    ///
    /// Waits for a join of this client that is on its way, so that none can slip in behind. Says which rooms it was in
    /// as soon as it is in none of them; one that is deleted at that moment may be among them. Its end is reported when
    /// the store has confirmed it.
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
                // Under the lock: a client is marked before the incarnation that holds it is replaced.
                incarnation: self.incarnation.current(),
                reason,
                is_reported: known.told,
            };
            // The claim is held to the end, also when that comes by a panic.
            (std::mem::take(&mut known.rooms), end, known.claim.take())
        };
        // Nothing joins any more.
        drop(membership);
        self.expiries.forget(&client);
        end.reason = client.reason_or(reason);
        let reason = end.reason;
        let welcomed = namespace.client(client.id()).as_ref() == Some(&client);
        namespace.remove_client(&client);
        let locals: Vec<Arc<LocalRoom>> =
            memberships.iter().filter_map(|known| take_out(&namespace, &client, &known.room)).collect();
        // A caller that waits no longer knows it gone.
        let _ = gone.send(client.left_rooms());
        self.end_client(client.key(), end, &memberships);
        let removed_by_others = match self.confirm_ends(client.key(), self.deadline()).await {
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
        let until = self.deadline();
        for local in locals {
            namespace.exit_room(&self, &local, until).await;
        }
        if welcomed {
            metrics::client_disconnected(reason.as_str());
            if reason == DisconnectReason::SlowConsumer {
                metrics::slow_consumer();
            }
        }
        rooms
    }

    /// Claims a client id for a new stay. Waits for the end of a former stay, which `state.timeout` does not bound: the
    /// client is not refused because its own former handler is slow.
    ///
    /// # Errors
    /// `TIMEOUT` when the former stay does not end.
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

    /// Subscribes to the namespace's channel before its first client takes part.
    async fn hear_namespace(&self, namespace: &NamespaceState, until: Deadline) -> Result<(), StateError> {
        // A caller that waits for its next attempt does not block others.
        self.retrying(until, || async {
            let mut subscribed = namespace.subscribed.lock().await;
            if !*subscribed {
                self.backplane.subscribe(&Channel::Namespace(namespace.name().clone())).await?;
                *subscribed = true;
            }
            Ok(())
        })
        .await
    }
}
