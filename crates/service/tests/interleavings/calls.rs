//! The history of calls that change memberships, and the outcomes that it allows.

use std::sync::Arc;

use parking_lot::Mutex;
use roomwire_core::{Error, ErrorCode};
use roomwire_service::{Client, WebSocketService};

use crate::{node::number_of, random::Random};

/// The rooms of an episode.
pub(crate) const ROOMS: [&str; 4] = ["lobby", "garden", "office", "cellar"];

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The effect is there when the call returns.
    Done,
    /// There is no lasting effect.
    Refused,
    /// The effect may come at any time, or never.
    Unknown,
}

/// The effect of a call on a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Joins,
    Leaves,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The connection whose membership changes; none for all members of the room.
    connection: Option<u64>,
    room: usize,
    pub(crate) effect: Effect,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: Outcome,
    /// Whether it failed because the answer was lost, or its future was dropped.
    is_unanswered: bool,
}

impl Call {
    /// Whether the call concerns a single connection.
    pub(crate) fn is_of_one(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether the call may change this membership.
    fn concerns(&self, connection: u64, room: usize) -> bool {
        self.room == room && self.connection.is_none_or(|number| number == connection)
    }
}

/// The calls of a round. Clones share the history.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    random: Random,
    made: Arc<Mutex<Made>>,
}

#[derive(Debug, Default)]
struct Made {
    calls: Vec<Call>,
    /// The number of calls of former rounds.
    forgotten: usize,
    running: usize,
    refusals: Vec<ErrorCode>,
}

/// A running call, whose future may be dropped.
struct Running<'a> {
    calls: &'a Calls,
    number: usize,
}

impl Calls {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, made: Arc::default() }
    }

    pub(crate) async fn join(&self, service: &WebSocketService, client: &Client, room: usize) -> Result<(), Error> {
        let call = self.begin(Some(number_of(client)), room, Effect::Joins);
        let joined = service.join_room(client, ROOMS[room]).await;
        call.ended(&joined, Outcome::Refused);
        joined
    }

    pub(crate) async fn leave(&self, service: &WebSocketService, client: &Client, room: usize) -> Result<(), Error> {
        let call = self.begin(Some(number_of(client)), room, Effect::Leaves);
        let left = service.leave_room(client, ROOMS[room]).await;
        call.ended(&left, Outcome::Refused);
        left
    }

    pub(crate) async fn delete(&self, service: &WebSocketService, room: usize) -> Result<(), Error> {
        let call = self.begin(None, room, Effect::Leaves);
        let deleted = service.delete_room(ROOMS[room]).await;
        let is_open = matches!(&deleted, Err(error) if error.code() == ErrorCode::StateUnavailable);
        call.ended(&deleted, if is_open { Outcome::Unknown } else { Outcome::Refused });
        deleted
    }

    fn begin(&self, connection: Option<u64>, room: usize, effect: Effect) -> Running<'_> {
        let mut made = self.made.lock();
        let begun = self.random.tick();
        // Unknown until the call returns, and for ever when its future is dropped.
        made.calls.push(Call {
            connection,
            room,
            effect,
            begun,
            ended: u64::MAX,
            outcome: Outcome::Unknown,
            is_unanswered: true,
        });
        made.running += 1;
        self.random.note(|| format!("{connection:?} {effect:?} {}: begins", ROOMS[room]));
        Running { calls: self, number: made.forgotten + made.calls.len() - 1 }
    }

    /// The joins that may have begun a membership without reporting it: connection and room.
    pub(crate) fn unanswered_joins(&self) -> Vec<(u64, usize)> {
        let made = self.made.lock();
        let joins = made.calls.iter().filter(|call| call.effect == Effect::Joins && call.is_unanswered);
        joins.filter_map(|call| Some((call.connection?, call.room))).collect()
    }

    /// The rooms of which a deletion was asked for.
    pub(crate) fn deleted_rooms(&self) -> Vec<usize> {
        let made = self.made.lock();
        made.calls.iter().filter(|call| call.connection.is_none()).map(|call| call.room).collect()
    }

    /// The rooms with a deletion that may have taken place without an answer.
    pub(crate) fn open_deletions(&self) -> Vec<usize> {
        let made = self.made.lock();
        let open = made.calls.iter().filter(|call| call.connection.is_none() && call.ended == u64::MAX);
        open.map(|call| call.room).collect()
    }

    /// Whether a call for this connection has not returned.
    pub(crate) fn is_open(&self, connection: u64) -> bool {
        let made = self.made.lock();
        made.calls.iter().any(|call| call.connection == Some(connection) && call.ended == u64::MAX)
    }

    /// The number of running calls.
    pub(crate) fn running(&self) -> usize {
        self.made.lock().running
    }

    /// Takes the error codes of failed calls since the last call.
    pub(crate) fn take_refusals(&self) -> Vec<ErrorCode> {
        std::mem::take(&mut self.made.lock().refusals)
    }

    /// Begins the next round with an empty history.
    pub(crate) fn forget(&self) {
        let mut made = self.made.lock();
        made.forgotten += made.calls.len();
        made.calls.clear();
    }

    /// The calls that may have changed this membership.
    pub(crate) fn of(&self, connection: u64, room: usize) -> Vec<Call> {
        let made = self.made.lock();
        let mut calls = made.calls.iter().filter(|call| call.concerns(connection, room));
        calls.by_ref().filter(|call| call.outcome != Outcome::Refused).copied().collect()
    }
}

impl Running<'_> {
    fn ended(&self, result: &Result<(), Error>, otherwise: Outcome) {
        let mut made = self.calls.made.lock();
        if let Err(error) = result {
            made.refusals.push(error.code());
        }
        let Some(number) = self.number.checked_sub(made.forgotten) else { return };
        let Some(call) = made.calls.get_mut(number) else { return };
        call.is_unanswered = matches!(result, Err(error) if error.code() == ErrorCode::StateUnavailable);
        call.outcome = if result.is_ok() { Outcome::Done } else { otherwise };
        if call.outcome != Outcome::Unknown {
            call.ended = self.calls.random.tick();
        }
        let random = &self.calls.random;
        random.note(|| format!("{:?} {:?} {}: {result:?}", call.connection, call.effect, ROOMS[call.room]));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.calls.made.lock().running -= 1;
    }
}

/// Whether the client may be a member, and whether it may not be, once all calls have returned: the last call decides,
/// and any of the calls that overlap may have been the last.
pub(crate) fn possible(was_member: bool, calls: &[Call]) -> [bool; 2] {
    let is_overtaken =
        |call: &Call| calls.iter().any(|later| later.outcome == Outcome::Done && later.begun > call.ended);
    let mut possible = [false; 2];
    for call in calls.iter().filter(|call| !is_overtaken(call)) {
        possible[usize::from(call.effect == Effect::Leaves)] = true;
    }
    if calls.iter().all(|call| call.outcome != Outcome::Done) {
        possible[usize::from(!was_member)] = true;
    }
    possible
}
