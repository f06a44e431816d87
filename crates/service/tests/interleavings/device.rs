//! A client's device, which connects, joins, leaves, disconnects and reconnects at random.

use std::{sync::Arc, time::Duration};

use roomwire_core::{Clock, DisconnectReason, Identity, Metadata, TokenId};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    calls::ROOMS,
    cluster::{Cluster, user_of},
    connections::Connection,
    node::{Node, Phase},
};

/// A device with its current connection.
#[derive(Debug)]
pub(crate) struct Device {
    number: usize,
    connection: Option<(Arc<Node>, Arc<Connection>)>,
    /// The node of the latest attempt to connect, and whether it was given up.
    node: Option<Arc<Node>>,
    abandoned: bool,
    /// Connections that may still be closing.
    former: Vec<(Arc<Node>, Arc<Connection>)>,
}

impl Device {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, connection: None, node: None, abandoned: false, former: Vec::new() }
    }

    /// Takes `steps` steps, and waits for the calls in the background.
    pub(crate) async fn act(mut self, cluster: Arc<Cluster>, steps: usize) -> Self {
        self.abandoned = false;
        let mut background = JoinSet::new();
        for _ in 0..steps {
            self.step(&cluster, &mut background).await;
            cluster.random.yield_randomly("step").await;
        }
        while let Some(ended) = background.join_next().await {
            ended.expect("no panic");
        }
        self
    }

    async fn step(&mut self, cluster: &Arc<Cluster>, background: &mut JoinSet<()>) {
        let random = &cluster.random;
        let open = self.connection.clone().filter(|(_, connection)| connection.closed().is_none());
        let Some((node, connection)) = open else { return self.connect(cluster).await };
        match random.below(100) {
            0..40 => self.change_membership(cluster, &node, &connection, true, background).await,
            40..60 => self.change_membership(cluster, &node, &connection, false, background).await,
            60..66 => {
                let millis = if random.chance(30) { cluster.profile.slowest_handler } else { random.below(4) as u64 };
                drop(connection.emit("work", &millis, random.chance(500)));
            }
            66..72 => {
                let note = Metadata::from_iter([("note".to_owned(), random.tick().into())]);
                // Fails when the connection has ended, or the store cannot be reached.
                let _ = node.service.set_client_metadata(connection.client(), note).await;
            }
            72..76 => random.yield_randomly("pause").await,
            _ => {
                self.disconnect(cluster, &node, &connection).await;
            }
        }
    }

    async fn connect(&mut self, cluster: &Arc<Cluster>) {
        let random = &cluster.random;
        let node = match &self.node {
            // Client ids are unique: after an attempt that was given up, and that may go on in this round, the same
            // node registers the next one in turn.
            Some(node) if node.phase() == Phase::Running && (self.abandoned || random.chance(600)) => node.clone(),
            _ => cluster.any_node(),
        };
        self.former.extend(self.connection.take());
        for (at, former) in &self.former {
            let is_free = Arc::ptr_eq(at, &node) || cluster.profile.moves;
            if !is_free {
                has_ended(at, former).await;
            }
        }
        let is_elsewhere = self.node.as_ref().is_some_and(|before| !Arc::ptr_eq(before, &node));
        if is_elsewhere && !cluster.profile.moves {
            // An id does not move to another node by itself: its former node ends it, or another one cleans up.
            cluster.is_gone(self.number).await;
        }
        self.former.retain(|(node, _)| node.phase() != Phase::Gone);
        if self.former.len() > 8 {
            self.former.remove(0);
        }
        let now = cluster.clock.now();
        let identity = Identity {
            user: user_of(self.number),
            issued_at: Some(now.plus(Duration::from_secs(1))),
            expires_at: random.chance(60).then(|| now.plus(Duration::from_millis(random.next() % 2000))),
            token: random.chance(300).then(|| TokenId::new(format!("token-{}", random.tick())).expect("valid")),
            ..Identity::default()
        };
        self.node = Some(node.clone());
        let may_go = random.chance(60);
        let connected = cluster.connect(&node, self.number, identity, may_go).await;
        self.abandoned |= may_go && connected.is_none();
        let Some(connection) = connected else { return };
        self.connection = Some((node.clone(), connection.clone()));
        if random.chance(40) {
            // The connection ends before CONNECT is sent.
            node.connections.end(&connection, DisconnectReason::ConnectionLost);
        } else if connection.closed().is_none() {
            connection.open();
        }
    }

    async fn change_membership(
        &self,
        cluster: &Arc<Cluster>,
        node: &Arc<Node>,
        connection: &Arc<Connection>,
        joins: bool,
        background: &mut JoinSet<()>,
    ) {
        let (random, event) = (&cluster.random, if joins { "join" } else { "leave" });
        let room = random.below(ROOMS.len());
        let (calls, service, client) = (cluster.calls.clone(), node.service.clone(), connection.client().clone());
        let call = async move {
            let _ = if joins {
                calls.join(&service, &client, room).await
            } else {
                calls.leave(&service, &client, room).await
            };
        };
        match random.below(8) {
            0..=2 => drop(connection.emit(event, &room, true).await),
            3 => drop(connection.emit(event, &room, false)),
            4..=5 => call.await,
            6 => drop(background.spawn(call)),
            _ => drop(cluster.abandon(call).await),
        }
    }

    async fn disconnect(&mut self, cluster: &Arc<Cluster>, node: &Arc<Node>, connection: &Arc<Connection>) {
        let random = &cluster.random;
        if random.chance(300) {
            drop(connection.emit(if random.chance(500) { "join" } else { "leave" }, &random.below(ROOMS.len()), true));
        }
        let reason = *random.pick(&[DisconnectReason::ClientDisconnected, DisconnectReason::ConnectionLost]);
        node.connections.end(connection, reason);
        if random.chance(500) {
            self.connect(cluster).await;
        }
    }
}

/// Waits until a closed connection has ended.
async fn has_ended(node: &Node, connection: &Connection) {
    while connection.client().is_connected() && node.phase() != Phase::Gone {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(50)).await;
}
