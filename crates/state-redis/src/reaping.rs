//! Cleaning up after a lost node, a step at a time.

use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use roomwire_core::{ClientId, ClientKey, Departure, Incarnation, Namespace, ReapOutcome, RoomId, RoomKey, StateError};

use crate::{
    keys::Partition,
    router::Repeat,
    script,
    state::{Shared, args},
};

/// The result of a step in one partition.
#[derive(Debug, Default)]
struct Step {
    memberships: u64,
    clients: u64,
    departures: Vec<Departure>,
    gone: Vec<ClientKey>,
}

impl Shared {
    /// Runs one step. Removals are kept until a caller receives them: if a caller stops waiting, the next caller gets
    /// them, so that everything is reported.
    pub(crate) async fn reap(
        self: &Arc<Self>,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
    ) -> Result<ReapOutcome, StateError> {
        if let Some(kept) = self.take_reaped(dead) {
            return Ok(kept);
        }
        let (shared, by, whose) = (self.clone(), by.clone(), dead.clone());
        let step = tokio::spawn(async move {
            let outcome = shared.reap_once(&by, &whose, limit.max(1)).await?;
            shared.reaped.lock().push((whose, outcome));
            Ok::<_, StateError>(())
        });
        step.await.map_err(StateError::unavailable)??;
        // Removals that another call took are reported by that call.
        Ok(self.take_reaped(dead).unwrap_or_default())
    }

    fn take_reaped(&self, dead: &Incarnation) -> Option<ReapOutcome> {
        let mut reaped = self.reaped.lock();
        let kept = reaped.iter().position(|(whose, _)| whose == dead)?;
        Some(reaped.swap_remove(kept).1)
    }

    async fn reap_once(&self, by: &Incarnation, dead: &Incarnation, limit: usize) -> Result<ReapOutcome, StateError> {
        let finished = ReapOutcome { finished: true, ..ReapOutcome::default() };
        if self.router.keys.is_single() {
            let Some(step) = self.reap_in(Partition::LEASES, by, dead, limit, "fmcux").await? else {
                return Ok(finished);
            };
            let finished = step.memberships + step.clients == 0;
            return Ok(ReapOutcome { departures: step.departures, clients: step.gone, finished });
        }
        // One partition decides whether it is lost; after that it is fenced everywhere.
        let Some(home) = self.reap_in(Partition::LEASES, by, dead, 0, "f").await? else { return Ok(finished) };
        let fences = self.other_partitions().map(|partition| async move {
            (partition, self.reap_in(partition, by, dead, 0, "F").await.map(Option::unwrap_or_default))
        });
        let mut left = join_all(fences).await;
        left.push((Partition::LEASES, Ok(home)));
        self.reap_cluster(by, dead, limit, left).await
    }

    /// Memberships everywhere first, then clients: the end of a membership is reported before the client's disconnect.
    /// An unreachable partition does not prevent the cleanup of the others.
    async fn reap_cluster(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        fenced: Vec<(Partition, Result<Step, StateError>)>,
    ) -> Result<ReapOutcome, StateError> {
        let mut outcome = ReapOutcome::default();
        let mut problem = None;
        let mut left = Vec::new();
        for (partition, found) in fenced {
            match found {
                Ok(found) => left.push((partition, found)),
                Err(error) => problem = Some(error),
            }
        }
        for (partition, found) in &left {
            let mut memberships = found.memberships;
            while memberships > 0 {
                let room = limit - outcome.departures.len();
                if room == 0 {
                    return Ok(outcome);
                }
                match self.reap_in(*partition, by, dead, room, "m").await {
                    Ok(step) => {
                        let step = step.unwrap_or_default();
                        memberships = step.memberships;
                        outcome.departures.extend(step.departures);
                    }
                    Err(error) => {
                        problem = Some(error);
                        break;
                    }
                }
            }
        }
        if problem.is_none() {
            problem = self.reap_clients(by, dead, limit, &left, &mut outcome).await.err();
        }
        match problem {
            // Removals must be reported, whatever failed.
            Some(error) if outcome == ReapOutcome::default() => Err(error),
            _ => Ok(outcome),
        }
    }

    async fn reap_clients(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        left: &[(Partition, Step)],
        outcome: &mut ReapOutcome,
    ) -> Result<(), StateError> {
        for (partition, found) in left {
            let mut clients = found.clients;
            while clients > 0 {
                let room = limit - outcome.clients.len();
                if room == 0 {
                    return Ok(());
                }
                let step = self.reap_in(*partition, by, dead, room, "c").await?.unwrap_or_default();
                clients = step.clients;
                outcome.clients.extend(step.gone);
            }
        }
        self.forget(by, dead).await?;
        outcome.finished = true;
        Ok(())
    }

    /// Removes the incarnation from the partition of leases last: until then, renewals report it for cleanup.
    async fn forget(&self, by: &Incarnation, dead: &Incarnation) -> Result<(), StateError> {
        try_join_all(self.other_partitions().map(|partition| self.reap_in(partition, by, dead, 0, "x"))).await?;
        self.reap_in(Partition::LEASES, by, dead, 0, "x").await?;
        Ok(())
    }

    /// `None` if the incarnation is alive or unknown there.
    async fn reap_in(
        &self,
        partition: Partition,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        doing: &str,
    ) -> Result<Option<Step>, StateError> {
        // Requests a lost response again; otherwise no node would report the removals.
        let unanswered = (partition, dead.clone());
        let takes = doing.contains(['m', 'c']);
        let token = takes.then(|| self.unanswered_reaps.lock().remove(&unanswered).unwrap_or_else(rand::random::<u64>));
        let args = args![by, dead, limit, token.map_or_else(String::new, |token| token.to_string()), doing];
        let reply = self.run_soon(&script::REAP, partition, &args, Repeat::Always).await;
        if let (Some(token), Err(StateError::Unavailable(_))) = (token, &reply) {
            self.unanswered_reaps.lock().insert(unanswered, token);
        }
        let mut reply = reply?;
        if reply.next::<String>()? != "DEAD" {
            return Ok(None);
        }
        let mut step = Step { memberships: reply.next()?, clients: reply.next()?, ..Step::default() };
        // An invalid name was not written by this service.
        step.departures = reply.next_readable::<String>()?.iter().filter_map(|entry| departure(entry)).collect();
        step.gone = reply.next_readable::<String>()?.iter().filter_map(|name| client_of(name)).collect();
        Ok(Some(step))
    }
}

/// Parses `client`, a line break and the room's name.
pub(crate) fn departure(entry: &str) -> Option<Departure> {
    let (client, room) = entry.split_once('\n')?;
    let room = room_of(room)?;
    let client = ClientKey::new(room.namespace.clone(), ClientId::new(client).ok()?);
    Some(Departure { client, room })
}

/// Parses the output of [`room_name`](crate::keys::room_name).
pub(crate) fn room_of(name: &str) -> Option<RoomKey> {
    let (namespace, room) = name.split_once(',')?;
    Some(RoomKey::new(Namespace::new(namespace).ok()?, RoomId::new(room).ok()?))
}

/// Parses the output of [`client_name`](crate::keys::client_name).
pub(crate) fn client_of(name: &str) -> Option<ClientKey> {
    let (namespace, client) = name.split_once(',')?;
    Some(ClientKey::new(Namespace::new(namespace).ok()?, ClientId::new(client).ok()?))
}
