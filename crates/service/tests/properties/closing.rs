//! After a close has returned no client can join, wherever the close and the join happen.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use roomwire_service::{ErrorCode, Gateway, testing::TestClient};
use tokio::task::JoinSet;

use crate::fixture::{Cluster, yield_randomly};

const CLIENTS: usize = 24;

/// Joins run while another node closes the room. Returns the number of members when the close returned and when
/// everything was over.
async fn round(cluster: &Cluster, clients: &[(usize, TestClient)]) -> (u64, u64) {
    // Drawn before a join starts, and after the close returned: a join with a higher number started afterwards.
    let sequence = Arc::new(AtomicU64::new(0));
    let mut joins = JoinSet::new();
    for (node, client) in clients {
        let (service, client, sequence) =
            (cluster.nodes[*node].service.clone(), client.handle().clone(), sequence.clone());
        joins.spawn(async move {
            yield_randomly().await;
            let started = sequence.fetch_add(1, Ordering::SeqCst);
            (started, service.join_room(&client, "shop").await)
        });
    }
    let closer = cluster.nodes[0].service.clone();
    let closed = tokio::spawn({
        let sequence = sequence.clone();
        async move {
            yield_randomly().await;
            closer.close_room("shop").await.expect("closes");
            let at = sequence.fetch_add(1, Ordering::SeqCst);
            (at, closer.member_count("shop").await.expect("answers"))
        }
    });
    let (closed_at, members) = closed.await.expect("no panic");
    while let Some(joined) = joins.join_next().await {
        let (started, joined) = joined.expect("no panic");
        match joined {
            Ok(()) => assert!(started < closed_at, "a join that started after the close returned succeeded"),
            Err(error) => assert_eq!(error.code(), ErrorCode::RoomClosed),
        }
    }
    (members, cluster.nodes[1].service.member_count("shop").await.expect("answers"))
}

async fn run(cluster: Cluster, rounds: usize) {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let node = number % cluster.nodes.len();
        clients.push((node, cluster.nodes[node].server.connect().await.expect("connects")));
    }
    let (mut none, mut some, mut all) = (0, 0, 0);
    for _ in 0..rounds {
        let (at_close, at_end) = round(&cluster, &clients).await;
        assert_eq!(at_close, at_end, "nobody was admitted after the close returned");
        match at_end {
            0 => none += 1,
            24 => all += 1,
            _ => some += 1,
        }
        let locally = clients.iter().filter(|(_, client)| client.handle().rooms().len() == 1).count();
        assert_eq!(locally as u64, at_end, "the nodes agree with the store");
        cluster.nodes[2].service.delete_room("shop").await.expect("deletes");
        for (_, client) in &clients {
            crate::fixture::eventually("members are out", async || client.handle().rooms().is_empty()).await;
        }
    }
    assert!(some > 0, "closes and joins never met: {none} before, {all} after all joins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_client_joins_after_a_close_returned() {
    run(Cluster::of(3, Gateway::new).await, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_client_joins_after_a_close_returned_also_when_the_store_is_slow() {
    let cluster = Cluster::of(3, Gateway::new).await;
    cluster.nodes.iter().for_each(|node| node.store.yield_randomly());
    run(cluster, 300).await;
}

#[tokio::test]
async fn members_stay_when_their_room_is_closed_and_get_its_messages() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let mut member = here.server.connect().await.expect("connects");
    here.service.join_room(member.handle(), "shop").await.expect("joins");
    assert!(there.service.close_room("shop").await.expect("closes").closed);
    there.service.broadcast_to_room("shop", "news", &"closed").await.expect("sends");
    assert_eq!(member.expect::<String>("news").await, "closed");
    here.service.join_room(member.handle(), "shop").await.expect("a member is in already");
}
