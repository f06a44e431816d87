//! Races of two nodes for one client or one user.

use std::sync::Arc;

use roomwire_core::{Clock, DisconnectReason, Identity, PageRequest, UserId};
use tokio::time::{Duration, sleep};

use crate::{
    cluster::{Cluster, user_of},
    connections::Connection,
    episode::{Episode, done},
    messages::{self, To},
    node::Node,
    operator,
};

/// The number of races between two checks.
const RACES: usize = 20;

/// Connects a client, which must succeed.
async fn connect(cluster: &Cluster, node: &Arc<Node>, device: usize) -> Arc<Connection> {
    let issued_at = Some(cluster.clock.now().plus(Duration::from_secs(1)));
    let identity = Identity { user: user_of(device), issued_at, ..Identity::default() };
    let connection = cluster.connect(node, device, identity, false).await.expect("nothing stops it");
    connection.open();
    connection
}

fn close(node: &Node, connection: &Arc<Connection>) {
    node.connections.end(connection, DisconnectReason::ClientDisconnected);
}

/// A client reconnects to the same node with its id, or to any node with another id, while another node sends it
/// messages and questions, or disconnects it.
pub(crate) async fn reconnecting(episode: &mut Episode<'_>) -> Result<usize, String> {
    let (cluster, rounds) = (episode.cluster.clone(), episode.cluster.profile.rounds);
    let devices = cluster.profile.devices;
    for round in 0..rounds * RACES {
        let (here, there) = (cluster.nodes()[round % 2].clone(), cluster.nodes()[(round + 1) % 2].clone());
        let device = cluster.random.below(devices);
        let former = connect(&cluster, &here, device).await;
        let next = if cluster.random.chance(600) { device } else { (device + 1) % devices };
        let returning = tokio::spawn({
            let (cluster, here, there) = (cluster.clone(), here.clone(), there.clone());
            async move {
                cluster.random.yield_randomly("race").await;
                close(&here, &former);
                let node = if next == device || cluster.random.chance(500) { here } else { there };
                let connection = connect(&cluster, &node, next).await;
                cluster.random.yield_randomly("race").await;
                (node, connection)
            }
        });
        let sending = tokio::spawn({
            let (cluster, messages, log) = (cluster.clone(), episode.messages.clone(), episode.log.clone());
            async move {
                for _ in 0..4 {
                    cluster.random.yield_randomly("race").await;
                    match cluster.random.below(5) {
                        0..3 => messages::send_from(&there, &cluster, &messages, To::Client(device)).await,
                        3 => messages::ask_from(&there, &cluster, &messages, device).await,
                        _ => operator::kick_from(&there, &cluster, &log, device).await,
                    }
                }
            }
        });
        let (node, connection) = done(returning).await;
        done(sending).await;
        // Messages arrive before the connection is closed.
        sleep(Duration::from_millis(10)).await;
        if (round + 1) % RACES == 0 {
            episode.rest().await.map_err(|problem| format!("after race {round}: {problem}"))?;
        }
        close(&node, &connection);
        cluster.is_gone(next).await;
        cluster.is_gone(device).await;
    }
    Ok(rounds * RACES)
}

/// Two clients of one user, on two nodes, disconnect at the same time, or are disconnected with their user.
pub(crate) async fn two_tabs(episode: &mut Episode<'_>) -> Result<usize, String> {
    let (cluster, rounds) = (episode.cluster.clone(), episode.cluster.profile.rounds);
    let ada = UserId::new("ada").expect("valid");
    for round in 0..rounds * RACES {
        let nodes = cluster.nodes();
        let mut closing = Vec::new();
        let is_sent_away = cluster.random.chance(300);
        for (device, node) in nodes.iter().take(2).cloned().enumerate() {
            let connection = connect(&cluster, &node, device).await;
            for room in 0..cluster.random.below(3) {
                cluster.calls.join(&node.service, connection.client(), room).await.expect("joins");
            }
            closing.push((node, connection));
        }
        let sessions = cluster.any_node().service.user_sessions(&ada, &PageRequest::first(10)).await;
        let sessions = sessions.expect("answers").items.len();
        if sessions != 2 {
            return Err(format!("two tabs are open, the store lists {sessions}"));
        }
        let closing = closing.into_iter().map(|(node, connection)| {
            let cluster = cluster.clone();
            tokio::spawn(async move {
                cluster.random.yield_randomly("race").await;
                close(&node, &connection);
            })
        });
        let closing = Vec::from_iter(closing);
        if is_sent_away {
            operator::disconnect_ada(&cluster.any_node(), &episode.log).await;
        }
        for closed in closing {
            done(closed).await;
        }
        cluster.is_gone(0).await;
        cluster.is_gone(1).await;
        let left = cluster.any_node().service.user_session_count(&ada).await.expect("answers");
        if left != 0 {
            return Err(format!("both tabs are closed, the store counts {left}"));
        }
        // Calls address the user: one that is on its way would reach the next two clients.
        sleep(Duration::from_millis(20)).await;
        if (round + 1) % RACES == 0 {
            episode.rest().await.map_err(|problem| format!("after race {round}: {problem}"))?;
        }
    }
    Ok(rounds * RACES)
}
