//! Cleaning up after a lost node, a step at a time.

use roomwire_core::{Departure, Incarnation, ReapOutcome, RoomKey, StateError, Timestamp};

use crate::state::State;

impl State {
    /// `now` dates the rooms, `lease_now` decides whether the lease has expired.
    pub(crate) fn reap(
        &mut self,
        by: &Incarnation,
        dead: &Incarnation,
        limit: usize,
        now: Timestamp,
        lease_now: Timestamp,
    ) -> Result<ReapOutcome, StateError> {
        self.incarnations.check(by)?;
        let mut outcome = ReapOutcome { finished: true, ..ReapOutcome::default() };
        if !self.incarnations.fence(dead, lease_now) {
            return Ok(outcome);
        }
        let limit = limit.max(1);
        while let Some(client) = self.incarnations.any_client(dead) {
            while let Some(room) = self.own_client(dead, &client).and_then(|entry| entry.rooms.first().cloned()) {
                if outcome.departures.len() == limit {
                    outcome.finished = false;
                    return Ok(outcome);
                }
                let room = RoomKey::new(client.namespace.clone(), room);
                self.end_membership(dead, &client, &room, now);
                self.removals.note_reaped(dead, &client, Some(&room.room), now);
                outcome.departures.push(Departure { client: client.clone(), room });
            }
            if outcome.clients.len() == limit {
                outcome.finished = false;
                return Ok(outcome);
            }
            self.remove_client(&client, now);
            self.removals.note_reaped(dead, &client, None, now);
            outcome.clients.push(client);
        }
        Ok(outcome)
    }
}
