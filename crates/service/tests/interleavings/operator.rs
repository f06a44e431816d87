//! Administration and failures: rooms are deleted and closed, clients disconnected, access revoked, nodes stopped.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::{
    BackplaneEvent, ClientId, Clock, DisconnectReason, ErrorCode, Identity, NewRoom, Revocation, Revoked, UserId,
};
use tokio::time::sleep;

use crate::{
    calls::ROOMS,
    cluster::{Cluster, id_of},
    connections::Connection,
    node::{Node, Phase},
};

/// The room that is created with a capacity.
pub(crate) const OFFICE: usize = 2;
/// The capacity of that room.
pub(crate) const CAPACITY: u32 = 2;
/// The room that is closed and reopened.
const CELLAR: usize = 3;

/// A call of `disconnect_client`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kick {
    pub(crate) device: usize,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) code: Option<ErrorCode>,
}

/// The actions of a round that checks need.
#[derive(Debug, Default)]
pub(crate) struct OperatorLog {
    pub(crate) kicks: Mutex<Vec<Kick>>,
    ended_ada: AtomicBool,
    has_lost_data: AtomicBool,
    /// Rooms that a node deleted that was killed, or stopped without an answer: the ends of their members may be lost.
    half_deleted: Mutex<BTreeSet<usize>>,
    /// Those of the round before: their members may be put back, and reported, in this one.
    half_deleted_before: Mutex<BTreeSet<usize>>,
    /// Clients with calls in flight on a node that was killed: their events may be lost.
    in_flight: Mutex<BTreeSet<ClientId>>,
    /// Revocations of the whole episode.
    revocations: Mutex<Vec<Revocation>>,
}

impl OperatorLog {
    /// Whether `disconnect_user` was called.
    pub(crate) fn ended_ada(&self) -> bool {
        self.ended_ada.load(Ordering::Relaxed)
    }

    /// Whether the store lost all data.
    pub(crate) fn has_lost_data(&self) -> bool {
        self.has_lost_data.load(Ordering::Relaxed)
    }

    /// Rooms in which the ends of memberships may be lost.
    pub(crate) fn half_deleted(&self) -> BTreeSet<usize> {
        &*self.half_deleted.lock() | &*self.half_deleted_before.lock()
    }

    /// Whether this identity was revoked.
    pub(crate) fn is_revoked(&self, identity: &Identity) -> bool {
        let revocations = self.revocations.lock();
        revocations.iter().any(|it| it.covers(identity.user.as_ref(), identity.token.as_ref(), identity.issued_at))
    }

    /// Clients whose events may be lost.
    pub(crate) fn in_flight(&self) -> BTreeSet<ClientId> {
        self.in_flight.lock().clone()
    }

    fn note_in_flight(&self, cluster: &Cluster, node: &Node) {
        let is_idle = |connection: &Connection| {
            connection.opened().is_some() && connection.closed().is_none() && !cluster.calls.is_open(connection.number)
        };
        let connections = cluster.connections();
        let here = connections.iter().filter(|connection| connection.node == node.number);
        let busy = here.filter(|connection| !is_idle(connection)).map(|connection| connection.id().clone());
        let registered = node.store.registered().into_iter();
        let arriving = registered.filter(|client| node.service.local_client(client).is_none());
        self.half_deleted.lock().extend(cluster.calls.open_deletions());
        let reaped = if node.store.is_reaping() { cluster.profile.devices } else { 0 };
        let ends = node.store.unanswered_ends().into_iter().chain((0..reaped).map(id_of));
        self.in_flight.lock().extend(busy.chain(arriving).chain(ends));
    }

    /// Begins the next round. Revocations stay.
    pub(crate) fn forget(&self) {
        self.in_flight.lock().clear();
        *self.half_deleted_before.lock() = std::mem::take(&mut *self.half_deleted.lock());
        self.kicks.lock().clear();
        self.ended_ada.store(false, Ordering::Relaxed);
        self.has_lost_data.store(false, Ordering::Relaxed);
    }

    fn note_revocation(&self, cluster: &Cluster, subject: Revoked) {
        let revoked_at = cluster.clock.now();
        let until = revoked_at.plus(Duration::from_secs(3600));
        self.revocations.lock().push(Revocation { subject, revoked_at, until });
    }
}

/// Takes `steps` steps.
pub(crate) async fn act(cluster: Arc<Cluster>, log: Arc<OperatorLog>, steps: usize) {
    for _ in 0..steps {
        step(&cluster, &log).await;
        cluster.random.yield_randomly("operator").await;
    }
}

async fn step(cluster: &Arc<Cluster>, log: &OperatorLog) {
    let (random, profile) = (&cluster.random, cluster.profile);
    let node = cluster.any_node();
    match random.below(100) {
        0..25 => drop(cluster.calls.delete(&node.service, random.below(ROOMS.len())).await),
        25..33 => drop(node.service.create_room(ROOMS[OFFICE], NewRoom::with_capacity(CAPACITY)).await),
        33..38 => drop(node.service.close_room(ROOMS[CELLAR]).await),
        38..43 => drop(node.service.open_room(ROOMS[CELLAR]).await),
        43..55 => kick(cluster, log, &node).await,
        55..60 => end_user(cluster, log, &node).await,
        60..65 => revoke_token(cluster, log, &node).await,
        65..72 if profile.suspects => node.bus.inject(BackplaneEvent::Gap),
        72..78 if profile.fences => node.store.fence().await,
        78..82 if profile.fences => node.store.fall_behind(),
        82..85 if profile.forgets => {
            log.has_lost_data.store(true, Ordering::Relaxed);
            cluster.forget_everything().await;
        }
        85..89 if profile.outages => lose_store(cluster, &node).await,
        75..78 if profile.cut_offs => cut_off(cluster, &node).await,
        89..92 if profile.stops => stop(cluster, log, &node).await,
        92..94 if profile.kills => kill(cluster, log, &node).await,
        94..97 if profile.gaps => lose_messages(cluster, &node).await,
        _ => sleep(Duration::from_millis(random.next() % 20)).await,
    }
}

async fn kick(cluster: &Cluster, log: &OperatorLog, node: &Node) {
    let device = cluster.random.below(cluster.profile.devices);
    kick_from(node, cluster, log, device).await;
}

/// Disconnects a client.
pub(crate) async fn kick_from(node: &Node, cluster: &Cluster, log: &OperatorLog, device: usize) {
    let begun = cluster.random.tick();
    let kicked = node.service.disconnect_client(id_of(device)).await;
    let ended = cluster.random.tick();
    cluster.random.note(|| format!("kick of {} by {}: {kicked:?}", id_of(device), node.place));
    log.kicks.lock().push(Kick { device, begun, ended, code: kicked.err().map(|error| error.code()) });
}

async fn end_user(cluster: &Cluster, log: &OperatorLog, node: &Node) {
    if cluster.random.chance(500) {
        disconnect_ada(node, log).await;
    } else {
        let ada = UserId::new("ada").expect("valid");
        log.note_revocation(cluster, Revoked::User(ada.clone()));
        // Fails when other nodes cannot be reached; they learn of it later.
        let _ = node.service.revoke_user(&ada).await;
    }
}

/// Disconnects all clients of the user.
pub(crate) async fn disconnect_ada(node: &Node, log: &OperatorLog) {
    log.ended_ada.store(true, Ordering::Relaxed);
    // Fails when other nodes cannot be reached; their clients stay.
    let _ = node.service.disconnect_user(&UserId::new("ada").expect("valid")).await;
}

async fn revoke_token(cluster: &Cluster, log: &OperatorLog, node: &Node) {
    let connections = cluster.connections();
    let token = connections.iter().find_map(|connection| connection.client().identity().token.clone());
    if let Some(token) = token {
        log.note_revocation(cluster, Revoked::Token(token.clone()));
        let until = cluster.clock.now().plus(Duration::from_secs(3600));
        let _ = node.service.revoke_token(&token, until).await;
    }
}

/// Makes the store unreachable for less than a lease.
async fn lose_store(cluster: &Cluster, node: &Node) {
    node.store.set_away(true);
    sleep(cluster.profile.lease.mul_f64(cluster.random.below(30) as f64 / 100.0)).await;
    node.store.set_away(false);
}

/// Makes the store unreachable for longer than a lease.
async fn cut_off(cluster: &Cluster, node: &Node) {
    if cluster.running().len() < 2 {
        return;
    }
    cluster.random.note(|| format!("{} is cut off", node.place));
    node.store.note_fence();
    node.store.set_away(true);
    sleep(cluster.profile.lease.mul_f64(1.0 + cluster.random.below(100) as f64 / 100.0)).await;
    node.store.set_away(false);
    cluster.random.note(|| format!("{} is not cut off any more", node.place));
}

async fn lose_messages(cluster: &Cluster, node: &Node) {
    node.bus.inject(BackplaneEvent::Interrupted);
    node.bus.set_deaf(true);
    sleep(cluster.profile.lease.mul_f64(cluster.random.below(30) as f64 / 100.0)).await;
    node.bus.set_deaf(false);
    node.bus.inject(BackplaneEvent::Gap);
}

/// Shuts a node down and starts it again.
async fn stop(cluster: &Cluster, log: &OperatorLog, node: &Arc<Node>) {
    if cluster.running().len() < 2 {
        return;
    }
    cluster.random.note(|| format!("{} stops", node.place));
    node.set_phase(Phase::Stopping);
    let unfinished = node.service.shutdown().await;
    // A node that stops does not wait for ever for the answer that tells which node reports the end.
    log.in_flight.lock().extend(node.store.unanswered_ends());
    log.half_deleted.lock().extend(cluster.calls.open_deletions());
    cluster.random.note(|| format!("{} has stopped, {unfinished} unfinished", node.place));
    for connection in node.connections.all() {
        node.connections.end(&connection, DisconnectReason::ServerShutdown);
    }
    cluster.restart(node).await;
}

/// Kills a node and starts it again.
async fn kill(cluster: &Cluster, log: &OperatorLog, node: &Arc<Node>) {
    if cluster.running().len() < 2 {
        return;
    }
    cluster.random.note(|| format!("{} is killed", node.place));
    node.set_phase(Phase::Stopping);
    log.note_in_flight(cluster, node);
    node.kill().await;
    for connection in node.connections.all() {
        node.connections.end(&connection, DisconnectReason::ConnectionLost);
    }
    cluster.restart(node).await;
}
