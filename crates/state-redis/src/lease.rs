//! The leases of incarnations. One partition holds them; the others know which incarnations may write.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::{join_all, try_join_all};
use roomwire_core::{Escaped, Incarnation, LeaseStatus, StateError};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    keys::Partition,
    router::Repeat,
    script,
    state::{Shared, args},
};

/// How long the end of an incarnation is remembered: a node that was paused for longer may write again.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3600);
/// The number of heartbeats between two searches for incarnations that the partition of leases has lost.
const CENSUS: u64 = 15;

impl Shared {
    /// The partition of leases first: it decides whether the incarnation has ended.
    pub(crate) async fn begin(&self, incarnation: &Incarnation, lease: Duration) -> Result<(), StateError> {
        self.note_grace(lease);
        self.begin_in(Partition::LEASES, incarnation, lease).await?;
        let others = self.other_partitions().map(|partition| self.begin_in(partition, incarnation, lease));
        try_join_all(others).await?;
        Ok(())
    }

    async fn begin_in(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        lease: Duration,
    ) -> Result<(), StateError> {
        let known = u8::from(self.writes.knows(incarnation, partition));
        let args = args![incarnation, lease.as_millis(), known, is_home(partition), self.router.grace()];
        let mut reply = self.run(&script::BEGIN, partition, &args, Repeat::Always).await?;
        self.writes.set(incarnation, partition, reply.next()?);
        Ok(())
    }

    pub(crate) async fn renew(
        self: &Arc<Self>,
        incarnation: &Incarnation,
        lease: Duration,
    ) -> Result<LeaseStatus, StateError> {
        self.note_grace(lease);
        let others = self.look_at_the_others(incarnation, lease);
        let mut status = self.renew_in(Partition::LEASES, incarnation, lease).await?;
        if let Some(others) = others {
            // An unreachable partition does not prevent the renewal: its verdict counts at a later heartbeat.
            let _ = timeout(self.router.timeout / 4, others).await;
        }
        self.clear_leftovers();
        let verdict = std::mem::take(&mut *self.verdict.lock());
        if verdict.fenced.as_ref() == Some(incarnation) {
            return Err(StateError::Fenced);
        }
        status.behind |= verdict.behind.as_ref() == Some(incarnation);
        Ok(status)
    }

    /// Checks in the background whether the partitions without leases accept writes of this incarnation; does nothing
    /// while a check is running.
    fn look_at_the_others(self: &Arc<Self>, incarnation: &Incarnation, lease: Duration) -> Option<JoinHandle<()>> {
        if self.router.keys.is_single() || self.is_looking.swap(true, Ordering::AcqRel) {
            return None;
        }
        let takes_census = self.beats.fetch_add(1, Ordering::Relaxed).is_multiple_of(CENSUS);
        let (shared, incarnation) = (self.clone(), incarnation.clone());
        Some(tokio::spawn(async move {
            let asked =
                join_all(shared.other_partitions().map(|partition| shared.renew_in(partition, &incarnation, lease)));
            for answer in asked.await {
                let mut verdict = shared.verdict.lock();
                match answer {
                    Ok(LeaseStatus { behind: true, .. }) => verdict.behind = Some(incarnation.clone()),
                    Ok(_) => {}
                    Err(StateError::Fenced) => verdict.fenced = Some(incarnation.clone()),
                    // Only rooms in the unreachable partition are affected.
                    Err(error) => {
                        tracing::debug!(target: "roomwire", error = %Escaped(&error), "a partition could not be asked");
                    }
                }
            }
            shared.is_looking.store(false, Ordering::Release);
            if takes_census && let Err(error) = shared.take_census(lease).await {
                tracing::debug!(target: "roomwire", error = %Escaped(&error), "partitions could not be asked for incarnations");
            }
        }))
    }

    async fn renew_in(
        &self,
        partition: Partition,
        incarnation: &Incarnation,
        lease: Duration,
    ) -> Result<LeaseStatus, StateError> {
        let confirmed = self.writes.count(incarnation, partition);
        let (home, grace, may_warn) = (is_home(partition), self.router.grace(), u8::from(self.may_warn()));
        let args = args![incarnation, lease.as_millis(), home, REMEMBER.as_millis(), confirmed, grace, may_warn];
        let mut reply = self.run(&script::RENEW, partition, &args, Repeat::Always).await?;
        let count: u64 = reply.next()?;
        let behind = self.writes.take_loss(incarnation, partition, confirmed, count);
        let expired: Vec<String> = reply.next_readable()?;
        if let Some(notes) = reply.next::<Option<Vec<u8>>>()? {
            self.warn(&String::from_utf8_lossy(&notes), reply.next::<Option<u64>>()?.unwrap_or_default());
        }
        let expired = expired.into_iter().filter_map(|name| name.parse().ok());
        Ok(LeaseStatus { expired: expired.filter(|lost| lost != incarnation).collect(), behind })
    }

    /// Finds incarnations that have entries in a partition and are lost in the partition of leases.
    async fn take_census(&self, lease: Duration) -> Result<(), StateError> {
        let asked = self.other_partitions().map(|partition| async move {
            let mut reply = self.run(&script::READ, partition, &[b"incarnations".to_vec()], Repeat::Always).await?;
            let mut incarnations: Vec<String> = reply.next_readable()?;
            incarnations.extend(reply.next_readable()?);
            Ok::<_, StateError>(incarnations)
        });
        let mut incarnations: Vec<_> = join_all(asked).await.into_iter().flatten().flatten().collect();
        incarnations.sort_unstable();
        incarnations.dedup();
        if incarnations.is_empty() {
            return Ok(());
        }
        let mut args = args![lease.as_millis()];
        args.extend(incarnations.into_iter().map(String::into_bytes));
        self.run(&script::CLAIM, Partition::LEASES, &args, Repeat::Always).await?;
        Ok(())
    }

    /// How long new joins are refused after data was lost: every node notices at the next heartbeat, and has restored
    /// its clients well before this is over.
    fn note_grace(&self, lease: Duration) {
        let now = Instant::now();
        let before = self.last_beat.lock().replace(now);
        let between = before.map_or(Duration::ZERO, |before| now - before);
        // After an outage, more time than a heartbeat interval has passed.
        let heartbeat = if between > lease / 2 { Duration::ZERO } else { between };
        self.router.note_grace(lease.mul_f64(0.3).max(heartbeat.mul_f64(1.5)));
    }

    /// Ends an incarnation. A partition without entries of it forgets it at once.
    pub(crate) async fn end(&self, incarnation: &Incarnation) -> Result<(), StateError> {
        let mut finished = true;
        for ended in join_all(self.other_partitions().map(|partition| self.end_in(partition, incarnation, "Fx"))).await
        {
            finished &= ended?;
        }
        // The partition of leases keeps the incarnation until it has no entries anywhere, so that a node cleans up.
        self.end_in(Partition::LEASES, incarnation, if finished { "Fx" } else { "F" }).await?;
        self.writes.forget(incarnation);
        Ok(())
    }

    async fn end_in(&self, partition: Partition, incarnation: &Incarnation, doing: &str) -> Result<bool, StateError> {
        let args = args!["", incarnation, 0, "", doing];
        let mut reply = self.run(&script::REAP, partition, &args, Repeat::Always).await?;
        if reply.next::<String>()? != "DEAD" {
            return Ok(true);
        }
        Ok(reply.next::<u64>()? + reply.next::<u64>()? == 0)
    }

    pub(crate) fn other_partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        self.router.keys.partitions().filter(|partition| *partition != Partition::LEASES)
    }
}

pub(crate) fn is_home(partition: Partition) -> u8 {
    u8::from(partition == Partition::LEASES)
}
