//! Confirming ends with the store: this node reports those that no other node reports.

use std::{collections::BTreeMap, sync::Arc};

use roomwire_core::{ClientKey, Incarnation, RemovedByOthers, RoomKey, RoomUid, StateError};

use super::{
    Node,
    pending_writes::{ClientEnds, EndedClient, EndedMembership, LeftReport, PendingClient},
};
use crate::{ServiceEvent, backend::Deadline};

impl Node {
    /// Asks the store to confirm what ended for a client on this node, and reports it: every `Left` before the
    /// `ClientDisconnected`. Returns the rooms of memberships that other nodes removed and report.
    ///
    /// Must not be called with the incarnation locked.
    ///
    /// # Errors
    /// If the store did not confirm everything. The heartbeat retries the rest.
    ///
    /// # Cancellation
    /// The next call retries what was not reported.
    pub(crate) async fn confirm_ends(
        self: &Arc<Self>,
        client: &ClientKey,
        until: Deadline,
    ) -> Result<Vec<RoomKey>, StateError> {
        let Some(pending) = self.pending_writes.of(client) else { return Ok(Vec::new()) };
        // Rare, and large: boxed, it does not make the future of each connect and join large.
        let confirmed = Box::pin(self.confirm_pending(client, &pending, until)).await;
        self.pending_writes.retry_later(client, &pending);
        confirmed
    }

    async fn confirm_pending(
        self: &Arc<Self>,
        client: &ClientKey,
        pending: &PendingClient,
        until: Deadline,
    ) -> Result<Vec<RoomKey>, StateError> {
        let _confirming = until.turn(pending.confirming.lock()).await?;
        let mut healed = false;
        loop {
            let incarnation = until.turn(self.incarnation.lock()).await?;
            // Ends under a lost incarnation can be reported once it is cleaned up completely.
            self.reap_lost_incarnations_within(until, &incarnation).await?;
            match self.confirm_under(&incarnation, client, pending, until).await {
                Err(StateError::Fenced) if !healed => {
                    let lost = incarnation.clone();
                    drop(incarnation);
                    self.re_register_within(until, lost).await?;
                    healed = true;
                }
                Err(error) => return Err(error),
                Ok((removed, gone)) => {
                    drop(incarnation);
                    if let Some(gone) = gone {
                        self.report_gone(client, pending, &gone, &removed, until).await?;
                    }
                    return Ok(removed.rooms);
                }
            }
        }
    }

    /// Returns the rooms that others report, and the client if its disconnect is still to be reported.
    async fn confirm_under(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        pending: &PendingClient,
        until: Deadline,
    ) -> Result<(RemovedByOthers, Option<EndedClient>), StateError> {
        let ClientEnds { left, gone } = pending.ends.lock().clone();
        match gone {
            // A connect failed, and another one with the same id succeeded.
            Some(gone) if !gone.is_reported && self.namespace(&client.namespace).client(&client.client).is_some() => {
                self.pending_writes.remove(client, pending, |ends| ends.gone = None);
            }
            Some(gone) => {
                let removed = self.confirm_disconnect(incarnation, client, &left, &gone, until).await?;
                return Ok((removed, Some(gone)));
            }
            None => {}
        }
        let (mut removed, mut problem) = (RemovedByOthers::default(), None);
        for end in left {
            match self.confirm_leave(incarnation, client, &end, until).await {
                Ok(is_reported_here) => {
                    if !is_reported_here && let Some(report) = &end.report {
                        self.report_deletion_first(client, &end.room, report.uid, until).await?;
                    }
                    if !self.pending_writes.remove_left(client, pending, &end.room) {
                        continue;
                    }
                    match &end.report {
                        Some(report) if is_reported_here => self.report_left(client, &end.room, report),
                        Some(_) => removed.rooms.push(end.room),
                        None => {}
                    }
                }
                Err(StateError::Fenced) => return Err(StateError::Fenced),
                // Perhaps only the part of the store with this room is unavailable.
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok((removed, None)), Err)
    }

    /// Reports the memberships of a client that ended under a lost incarnation before others could end them, ahead of
    /// the client's disconnect. What the store cannot answer now is confirmed later.
    pub(super) async fn confirm_left_under(&self, lost: &Incarnation, client: &ClientKey) {
        let Some(pending) = self.pending_writes.of(client) else { return };
        let left = pending.ends.lock().left.clone();
        for EndedMembership { room, report } in left {
            let Some(report) = report.filter(|report| report.incarnation == *lost) else { continue };
            let membership = [(room.clone(), report.uid)];
            let removed = self.backend.bounded(self.backend.store.removed_by_others(lost, client, &membership)).await;
            if removed.is_ok_and(|removed| removed.rooms.is_empty())
                && self.pending_writes.remove_left(client, &pending, &room)
            {
                self.report_left(client, &room, &report);
            }
        }
    }

    /// Whether this node reports it.
    async fn confirm_leave(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        EndedMembership { room, report }: &EndedMembership,
        until: Deadline,
    ) -> Result<bool, StateError> {
        let Some(LeftReport { uid, incarnation: own, is_in_doubt, .. }) = report else {
            return self.backend.call(until, self.backend.store.leave(incarnation, client, room)).await;
        };
        if own == incarnation
            && self.backend.call(until, self.backend.store.leave(incarnation, client, room)).await?
            && !is_in_doubt
        {
            return Ok(true);
        }
        let membership = [(room.clone(), *uid)];
        let removed = self.backend.call(until, self.backend.store.removed_by_others(own, client, &membership)).await?;
        Ok(removed.rooms.is_empty())
    }

    /// Returns the rooms that others report.
    async fn confirm_disconnect(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        left: &[EndedMembership],
        gone: &EndedClient,
        until: Deadline,
    ) -> Result<RemovedByOthers, StateError> {
        let reports = || left.iter().filter_map(|end| Some((&end.room, end.report.as_ref()?)));
        let ended = self.backend.call(until, self.backend.store.disconnect(incarnation, client)).await?;
        let mut in_doubt = BTreeMap::<&Incarnation, Vec<(RoomKey, RoomUid)>>::new();
        for (room, LeftReport { uid, incarnation: own, is_in_doubt, .. }) in reports() {
            if own != incarnation || *is_in_doubt || !ended.contains(room) {
                in_doubt.entry(own).or_default().push((room.clone(), *uid));
            }
        }
        if gone.incarnation != *incarnation {
            in_doubt.entry(&gone.incarnation).or_default();
        }
        let mut removed = RemovedByOthers::default();
        for (own, rooms) in in_doubt {
            let found = self.backend.call(until, self.backend.store.removed_by_others(own, client, &rooms)).await?;
            removed.rooms.extend(found.rooms);
            removed.client |= found.client && *own == gone.incarnation;
        }
        Ok(removed)
    }

    /// Reports the confirmed end of a client with its memberships, without those that others report.
    async fn report_gone(
        &self,
        client: &ClientKey,
        pending: &PendingClient,
        gone: &EndedClient,
        removed: &RemovedByOthers,
        until: Deadline,
    ) -> Result<(), StateError> {
        let left = pending.ends.lock().left.clone();
        for end in left.iter().filter(|end| removed.rooms.contains(&end.room)) {
            if let Some(report) = &end.report {
                self.report_deletion_first(client, &end.room, report.uid, until).await?;
            }
        }
        let mut ends = ClientEnds::default();
        self.pending_writes.remove(client, pending, |confirmed| ends = std::mem::take(confirmed));
        for end in ends.left {
            if let Some(report) = end.report.filter(|_| !removed.rooms.contains(&end.room)) {
                self.report_left(client, &end.room, &report);
            }
        }
        if gone.is_reported && !removed.client {
            let reason = gone.reason;
            self.events.send(|| ServiceEvent::ClientDisconnected { client: client.clone(), reason });
        }
        Ok(())
    }

    /// Reports a membership as ended by a deletion if this node deleted the room and has not reported it yet. Call it
    /// before the end of the client, or its next membership, is reported.
    async fn report_deletion_first(
        &self,
        client: &ClientKey,
        room: &RoomKey,
        uid: RoomUid,
        until: Deadline,
    ) -> Result<(), StateError> {
        let namespace = self.namespace(&room.namespace);
        let report = || self.report_deletion(room.clone(), client.client.clone());
        until.turn(namespace.report_deletion_once(&room.room, uid, &client.client, report)).await
    }

    fn report_left(&self, client: &ClientKey, room: &RoomKey, report: &LeftReport) {
        self.events.send(|| ServiceEvent::Left {
            room: room.clone(),
            client: client.client.clone(),
            reason: report.reason,
        });
    }
}
