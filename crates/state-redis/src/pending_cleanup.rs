//! Ended memberships that may not be removed from every partition yet.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use parking_lot::Mutex;
use roomwire_core::{ClientId, Incarnation, RoomKey};

use crate::keys::Partition;

/// Work that the heartbeats retry until it is done. It is recorded before the first attempt, so that nothing is lost
/// when the caller stops waiting.
#[derive(Debug, Default)]
pub(crate) struct PendingCleanup {
    pub(crate) noted: Mutex<BTreeMap<u64, Arc<Leftover>>>,
    /// Set during a retry.
    pub(crate) is_clearing: AtomicBool,
}

/// Memberships of one incarnation, as far as they are stored in one partition.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) partition: Partition,
    pub(crate) owner: Incarnation,
    pub(crate) part: &'static str,
    pub(crate) memberships: Vec<(ClientId, RoomKey)>,
    /// Whether it is done. Locked during an attempt: a second one would take the response that the first one waits for.
    pub(crate) is_done: tokio::sync::Mutex<bool>,
}

impl Leftover {
    pub(crate) fn new(
        partition: Partition,
        owner: Incarnation,
        part: &'static str,
        memberships: Vec<(ClientId, RoomKey)>,
    ) -> Self {
        Self { partition, owner, part, memberships, is_done: tokio::sync::Mutex::new(false) }
    }

    pub(crate) fn names(&self, client: &ClientId, room: &RoomKey) -> bool {
        self.memberships.iter().any(|(member, of)| member == client && of == room)
    }
}
