//! Repairs keys that another program removed or wrote to, and warns about the rest.

use std::{collections::BTreeMap, time::Duration};

use roomwire_core::{Escaped, Incarnation, Namespace, ReapOutcome, StateError};
use tokio::time::Instant;

use crate::{
    keys::Partition,
    lease::is_home,
    reaping::{client_of, departure},
    router::Repeat,
    script,
    state::{Shared, args},
};

/// The shortest time between two warnings.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// The number of keys in a warning.
const NAMED_AT_ONCE: usize = 50;
/// The number of clients or members that one script checks: all other calls wait for it.
const AT_ONCE: usize = 100;
/// The number of rooms, each with its members.
const ROOMS_AT_ONCE: usize = 50;
/// The number of keys that one step of a scan skips.
const KEYS_AT_ONCE: usize = 1000;

/// A list to check.
#[derive(Clone, Copy, Debug)]
struct Sweep<'a> {
    partition: Partition,
    /// How long a node may still restore entries that belong to no incarnation.
    patience: Duration,
    kind: &'static str,
    namespace: &'a str,
    /// For the members of one room.
    room: &'a str,
}

/// The result of a step.
struct Swept {
    next: String,
    /// Rooms with many members.
    large: Vec<String>,
}

impl Shared {
    /// Repairs the lists of incarnations in all partitions; if it is this node's turn, checks all lists as well.
    pub(crate) async fn repair(
        &self,
        incarnation: &Incarnation,
        lease: Duration,
        every: Duration,
        namespaces: &[Namespace],
    ) -> Result<ReapOutcome, StateError> {
        let mut removed = ReapOutcome { finished: true, ..ReapOutcome::default() };
        let (its_turn, _) = self.repair_incarnations(Partition::LEASES, incarnation, lease, every).await?;
        if !its_turn {
            return Ok(removed);
        }
        let mut failure = None;
        for partition in self.router.keys.partitions() {
            // An unreachable partition does not prevent the repair of the others.
            if let Err(error) = self.repair_in(partition, incarnation, lease, every, namespaces, &mut removed).await {
                removed.finished = false;
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "a partition could not be repaired");
                failure = failure.or(Some(error));
            }
        }
        match failure {
            // Removals must be reported; the next repair fails again.
            Some(error) if removed.departures.is_empty() && removed.clients.is_empty() => Err(error),
            _ => Ok(removed),
        }
    }

    async fn repair_in(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        lease: Duration,
        every: Duration,
        namespaces: &[Namespace],
        removed: &mut ReapOutcome,
    ) -> Result<(), StateError> {
        let (_, mut all) = self.repair_incarnations(partition, incarnation, lease, Duration::MAX).await?;
        all.extend(namespaces.iter().map(ToString::to_string));
        all.sort_unstable();
        all.dedup();
        for namespace in &all {
            // Each node has compared itself twice by then.
            let list = |kind| Sweep { partition, patience: every * 3, kind, namespace, room: "" };
            self.sweep(list("rooms"), incarnation, removed).await?;
            self.sweep(list("clients"), incarnation, removed).await?;
        }
        Ok(())
    }

    /// Whether it is this node's turn to check lists, and the namespaces with rooms.
    async fn repair_incarnations(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        lease: Duration,
        every: Duration,
    ) -> Result<(bool, Vec<String>), StateError> {
        let args = args![incarnation, lease.as_millis(), is_home(partition), every.as_millis()];
        let mut reply = self.run(&script::REPAIR, partition, &args, Repeat::Always).await?;
        let turn: u8 = reply.next()?;
        Ok((turn == 1, reply.next()?))
    }

    /// Checks a whole list.
    async fn sweep(
        &self,
        list: Sweep<'_>,
        incarnation: &Incarnation,
        removed: &mut ReapOutcome,
    ) -> Result<(), StateError> {
        let mut cursor = "0".to_owned();
        loop {
            let Swept { next, large } = self.sweep_step(list, &cursor, incarnation, removed).await?;
            for room in &large {
                let members = Sweep { kind: "members", room, ..list };
                Box::pin(self.sweep(members, incarnation, removed)).await?;
            }
            match next.as_str() {
                "0" => return Ok(()),
                "lost" => return Box::pin(self.sweep(Sweep { kind: "keys", ..list }, incarnation, removed)).await,
                _ => cursor = next,
            }
        }
    }

    async fn sweep_step(
        &self,
        Sweep { partition, patience, kind, namespace, room }: Sweep<'_>,
        cursor: &str,
        incarnation: &Incarnation,
        removed: &mut ReapOutcome,
    ) -> Result<Swept, StateError> {
        let count = match kind {
            "rooms" => ROOMS_AT_ONCE,
            "keys" => KEYS_AT_ONCE,
            _ => AT_ONCE,
        };
        let single = u8::from(self.router.keys.is_single());
        let args = args![incarnation, kind, cursor, count, single, patience.as_millis(), namespace, room];
        // A second response would not contain the removals of the first.
        let mut reply = self.run(&script::SWEEP, partition, &args, Repeat::Never).await?;
        let next = reply.next()?;
        removed.departures.extend(reply.next_readable::<String>()?.iter().filter_map(|entry| departure(entry)));
        removed.clients.extend(reply.next_readable::<String>()?.iter().filter_map(|name| client_of(name)));
        Ok(Swept { next, large: reply.next_readable()? })
    }

    /// Removes invalid entries from an incarnation's lists.
    pub(crate) async fn discard(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        kind: &str,
        entries: Vec<Vec<u8>>,
    ) -> Result<(), StateError> {
        let mut args = args![incarnation, kind];
        args.extend(entries);
        self.run(&script::DISCARD, partition, &args, Repeat::Always).await.map(drop)
    }

    /// Whether the last warning was long enough ago.
    pub(crate) fn may_warn(&self) -> bool {
        self.warned.lock().is_none_or(|last| last.elapsed() >= WARN_AGAIN)
    }

    /// Logs what scripts found, and the number of further findings.
    pub(crate) fn warn(&self, notes: &str, more: u64) {
        *self.warned.lock() = Some(Instant::now());
        let mut found = BTreeMap::<_, Vec<_>>::new();
        for line in notes.lines() {
            let (problem, key) = line.split_once(": ").unwrap_or((line, ""));
            found.entry(problem).or_default().push(key);
        }
        for (problem, keys) in &found {
            for keys in keys.chunks(NAMED_AT_ONCE) {
                tracing::warn!(
                    target: "roomwire",
                    found = %Escaped(problem),
                    ?keys,
                    more,
                    "another program has removed or written a key in Redis; it is mended as far as nodes know its content. Keep other \
                     programs away from keys with this service's prefix (state.prefix), and maxmemory-policy at noeviction"
                );
            }
        }
    }
}
