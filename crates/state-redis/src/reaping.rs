//! Cleaning up after a lost node, a step at a time.

use futures_util::future::try_join_all;
use roomwire_core::{ClientId, ClientKey, Departure, Incarnation, Namespace, ReapOutcome, RoomId, RoomKey, StateError};

use crate::{
    keys::Partition,
    reply::corrupt,
    router::Repeat,
    script,
    state::{Shared, args},
};

/// What a step found and did in one partition.
#[derive(Debug, Default)]
struct Step {
    memberships: u64,
    clients: u64,
    departures: Vec<Departure>,
    gone: Vec<ClientKey>,
}

impl Shared {
    pub(crate) async fn reap(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
    ) -> Result<ReapOutcome, StateError> {
        let limit = limit.max(1);
        let finished = ReapOutcome { finished: true, ..ReapOutcome::default() };
        if self.router.keys.is_single() {
            let Some(step) = self.reap_in(Partition::LEASES, by, dead, limit, "fmcux").await? else {
                return Ok(finished);
            };
            let finished = step.memberships + step.clients == 0;
            return Ok(ReapOutcome { departures: step.departures, clients: step.gone, finished });
        }
        // Whether it is lost is decided in one place; after that it is over everywhere.
        let Some(home) = self.reap_in(Partition::LEASES, by, dead, 0, "f").await? else { return Ok(finished) };
        let fences = self.other_partitions().map(|partition| async move {
            Ok::<_, StateError>((partition, self.reap_in(partition, by, dead, 0, "F").await?.unwrap_or_default()))
        });
        let mut left = try_join_all(fences).await?;
        left.push((Partition::LEASES, home));
        self.reap_cluster(by, dead, limit, left).await
    }

    /// Memberships everywhere first, then clients: that a client left is reported before it is reported gone.
    async fn reap_cluster(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        left: Vec<(Partition, Step)>,
    ) -> Result<ReapOutcome, StateError> {
        let mut outcome = ReapOutcome::default();
        for (partition, found) in &left {
            let mut memberships = found.memberships;
            while memberships > 0 {
                let room = limit - outcome.departures.len();
                if room == 0 {
                    return Ok(outcome);
                }
                // What was taken must be reported, whatever fails afterwards.
                let step = match self.reap_in(*partition, by, dead, room, "m").await {
                    Ok(step) => step.unwrap_or_default(),
                    Err(_) if !outcome.departures.is_empty() => return Ok(outcome),
                    Err(error) => return Err(error),
                };
                memberships = step.memberships;
                outcome.departures.extend(step.departures);
            }
        }
        for (partition, found) in &left {
            let mut clients = found.clients;
            while clients > 0 {
                let room = limit - outcome.clients.len();
                if room == 0 {
                    return Ok(outcome);
                }
                let step = match self.reap_in(*partition, by, dead, room, "c").await {
                    Ok(step) => step.unwrap_or_default(),
                    Err(_) if !outcome.departures.is_empty() || !outcome.clients.is_empty() => return Ok(outcome),
                    Err(error) => return Err(error),
                };
                clients = step.clients;
                outcome.clients.extend(step.gone);
            }
        }
        outcome.finished = self.forget(by, dead).await.is_ok();
        Ok(outcome)
    }

    /// The partition of leases last: as long as it knows the life, somebody is told to clean up after it.
    async fn forget(&self, by: &Incarnation, dead: &Incarnation) -> Result<(), StateError> {
        try_join_all(self.other_partitions().map(|partition| self.reap_in(partition, by, dead, 0, "x"))).await?;
        self.reap_in(Partition::LEASES, by, dead, 0, "x").await?;
        Ok(())
    }

    /// None when the life is alive or unknown there.
    async fn reap_in(
        &self,
        partition: Partition,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        doing: &str,
    ) -> Result<Option<Step>, StateError> {
        // An answer that was lost is asked for again: otherwise nobody would report what was taken.
        let unanswered = (partition, dead.clone());
        let takes = doing.contains(['m', 'c']);
        let token = takes.then(|| self.unanswered_reaps.lock().remove(&unanswered).unwrap_or_else(rand::random::<u64>));
        let args = args![by, dead, limit, token.map_or_else(String::new, |token| token.to_string()), doing];
        let reply = self.run(&script::REAP, partition, &args, Repeat::Always).await;
        if let (Some(token), Err(StateError::Unavailable(_))) = (token, &reply) {
            self.unanswered_reaps.lock().insert(unanswered, token);
        }
        let mut reply = reply?;
        if reply.next::<String>()? != "DEAD" {
            return Ok(None);
        }
        let mut step = Step { memberships: reply.next()?, clients: reply.next()?, ..Step::default() };
        for entry in reply.next::<Vec<String>>()? {
            step.departures.push(departure(&entry).ok_or_else(|| corrupt("a membership", &entry))?);
        }
        for name in reply.next::<Vec<String>>()? {
            step.gone.push(client_of(&name).ok_or_else(|| corrupt("a client", &name))?);
        }
        Ok(Some(step))
    }
}

/// Reads `client`, a line break and the room's name.
pub(crate) fn departure(entry: &str) -> Option<Departure> {
    let (client, room) = entry.split_once('\n')?;
    let room = room_of(room)?;
    let client = ClientKey::new(room.namespace.clone(), ClientId::new(client).ok()?);
    Some(Departure { client, room })
}

/// Reads what [`room_name`](crate::keys::room_name) wrote.
pub(crate) fn room_of(name: &str) -> Option<RoomKey> {
    let (namespace, room) = name.split_once(',')?;
    Some(RoomKey::new(Namespace::new(namespace).ok()?, RoomId::new(room).ok()?))
}

/// Reads what [`client_name`](crate::keys::client_name) wrote.
pub(crate) fn client_of(name: &str) -> Option<ClientKey> {
    let (namespace, client) = name.split_once(',')?;
    Some(ClientKey::new(Namespace::new(namespace).ok()?, ClientId::new(client).ok()?))
}
