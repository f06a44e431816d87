//! Nodes that are killed.

use std::{collections::BTreeSet, time::Duration};

use roomwire_chaos::{Comeback, Crowd, Entry, Fault, Fixture, Ledger, Lines, Plan, Proxy, control::Happening};
use tokio::time::sleep_until;

use crate::{NODE, fixture};

const NODE_LOST: &str = "node lost";

/// The memberships of clients at these nodes.
fn memberships_at(crowd: &Crowd, nodes: &[usize]) -> BTreeSet<(String, String)> {
    let mut memberships = BTreeSet::new();
    for client in nodes.iter().flat_map(|node| crowd.on(*node)) {
        let belief = client.belief();
        let id = belief.id.clone().expect("it is connected");
        memberships.extend(belief.rooms.iter().map(|room| (room.clone(), id.clone())));
    }
    memberships
}

/// One `Left` for each of these memberships and for no other, with the reason.
fn assert_left_once(ledger: &Ledger, from: usize, lost: &BTreeSet<(String, String)>) {
    let left = ledger.left_since(from);
    for ((room, client), reasons) in &left {
        assert_eq!(reasons, &[NODE_LOST], "{client} in {room}");
        assert!(lost.contains(&(room.clone(), client.clone())), "{client} did not leave {room}");
    }
    let missing: Vec<_> = lost.iter().filter(|membership| !left.contains_key(*membership)).collect();
    assert!(missing.is_empty(), "{} of {} were not reported to have left: {missing:.3?}", missing.len(), lost.len());
}

/// Each member of a room that still lives hears once of each that was lost.
async fn assert_survivors_hear(fixture: &Fixture, lost: &BTreeSet<(String, String)>) {
    let heard = |client: &roomwire_chaos::Client| {
        let belief = client.belief();
        let heard = belief.heard.iter().filter(|message| message.event == "lost");
        let heard: Vec<_> = heard.map(|message| (message.said.room.clone(), message.said.from.clone())).collect();
        let due: BTreeSet<_> = lost.iter().filter(|(room, _)| belief.rooms.contains(room)).cloned().collect();
        (heard, due)
    };
    roomwire_chaos::eventually("survivors hear of the lost", Duration::from_secs(3), async || {
        let all = fixture.crowd.iter().filter(|client| client.belief().id.is_some()).all(|client| {
            let (heard, due) = heard(client);
            heard.len() >= due.len()
        });
        all.then_some(())
    })
    .await;
    for client in fixture.crowd.iter().filter(|client| client.belief().id.is_some()) {
        let (heard, due) = heard(client);
        assert_eq!(heard.len(), due.len(), "as often as members were lost");
        assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), due, "each of them once");
    }
}

async fn kill(victims: &[usize], comeback: Comeback) {
    let mut fixture = Fixture::set(NODE, Plan { comeback, ..Plan::default() }).await;
    let before = fixture.crowd.memberships();
    let lost = memberships_at(&fixture.crowd, victims);
    let from = fixture.ledger.len();
    let killed = fixture.kill_nodes(victims).await;
    let took = fixture.converged(killed, Duration::from_secs(15)).await;
    println!("converged {took:.2?} after kill -9 of {} nodes with {} memberships", victims.len(), lost.len());
    // What was taken out of the store is reported a moment later.
    fixture.ledger.until("all are reported", from, Duration::from_secs(2), |entries| entries.len() >= lost.len()).await;
    assert_survivors_hear(&fixture, &lost).await;
    assert_left_once(&fixture.ledger, from, &lost);
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_of_a_killed_node_leave_each_room_once_within_15_seconds() {
    // They come back to another node.
    kill(&[1], Comeback::Anywhere).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_of_two_killed_nodes_leave_each_room_once_within_15_seconds() {
    kill(&[0, 2], Comeback::Never).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_nodes_that_were_all_killed_25_seconds_later() {
    let mut fixture = fixture().await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let killed = fixture.kill_nodes(&[0, 1, 2]).await;
    // The new one bears the name of an old one. For longer than half a lease no node renewed any.
    sleep_until(killed + Duration::from_secs(6)).await;
    fixture.start_node(0).await;
    let took = fixture.converged(killed, Duration::from_secs(25)).await;
    println!("nothing was left {took:.2?} after kill -9 of all nodes");
    fixture
        .ledger
        .until("all are reported", from, Duration::from_secs(2), |entries| entries.len() >= before.len())
        .await;
    assert_left_once(&fixture.ledger, from, &before);
    let keys: Vec<String> = fixture.redis().ask(&["KEYS", "*"]).await;
    // For a day it is known what was removed, should one of these nodes only have been cut off.
    let (removed, keys): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.contains(":gone:"));
    assert_eq!(removed.len(), 3, "one for each of the nodes: {removed:?}");
    for key in &removed {
        let seconds: i64 = fixture.redis().ask(&["TTL", key]).await;
        assert!((1..=86_400).contains(&seconds), "{key} expires in {seconds} s");
    }
    // What a node without clients needs, and that old incarnations have ended.
    assert!(keys.len() <= 6, "{} keys are left: {:?}", keys.len(), &keys[..keys.len().min(20)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_node_that_cleans_up_is_killed_another_finishes_and_nothing_is_removed_twice() {
    // Most clients are at the first node, so that cleaning up after it takes several steps.
    let node_of = |client| if client % 10 < 8 { 0 } else { 1 + client % 2 };
    let mut fixture = Fixture::set(NODE, Plan { proxied: true, node_of, ..Plan::default() }).await;
    let from = fixture.ledger.len();
    let lost = memberships_at(&fixture.crowd, &[0]);
    fixture.kill_nodes(&[0]).await;
    // Each step takes a while.
    fixture.proxies.iter().for_each(|proxy| proxy.inject(Fault::Delay(Duration::from_millis(25)), Lines::All));
    let left = |entry: &Entry| matches!(entry.what, Happening::Left { .. });
    fixture.ledger.until("clean-up begins", from, Duration::from_secs(15), |entries| entries.iter().any(left)).await;
    let begun = fixture.ledger.since(from).into_iter().find(left).expect("it was there");
    let second = usize::from(begun.node == "node-2") + 1;
    let lost_later = memberships_at(&fixture.crowd, &[second]);
    let killed = fixture.kill_nodes(&[second]).await;
    fixture.proxies.iter().for_each(Proxy::heal);
    let by_second = fixture.ledger.left_since(from).len();
    assert!(by_second < lost.len(), "it was killed before it had finished");
    let took = fixture.converged(killed, Duration::from_secs(15)).await;
    let left = fixture.ledger.left_since(from);
    for ((room, client), reasons) in &left {
        assert_eq!(reasons, &[NODE_LOST], "{client} in {room}");
    }
    let missing_later = lost_later.iter().filter(|membership| !left.contains_key(*membership)).count();
    assert_eq!(missing_later, 0, "what nobody else took is reported");
    let missing = lost.iter().filter(|membership| !left.contains_key(*membership)).count();
    println!(
        "finished {took:.2?} after the second kill; {by_second} of {} were reported before, and {missing} were taken by \
         the killed one and never reported",
        lost.len()
    );
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
