//! Nodes that are killed.

use std::{collections::BTreeSet, time::Duration};

use roomwire_chaos::{Comeback, Crowd, Entry, Fault, Ledger, Lines, Plan, Proxy, Stage, control::Happening};
use tokio::time::sleep_until;

use crate::{NODE, stage};

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
async fn assert_survivors_hear(stage: &Stage, lost: &BTreeSet<(String, String)>) {
    let heard = |client: &roomwire_chaos::Client| {
        let belief = client.belief();
        let heard = belief.heard.iter().filter(|message| message.event == "lost");
        let heard: Vec<_> = heard.map(|message| (message.said.room.clone(), message.said.from.clone())).collect();
        let due: BTreeSet<_> = lost.iter().filter(|(room, _)| belief.rooms.contains(room)).cloned().collect();
        (heard, due)
    };
    roomwire_chaos::eventually("survivors hear of the lost", Duration::from_secs(3), async || {
        let all = stage.crowd.iter().filter(|client| client.belief().id.is_some()).all(|client| {
            let (heard, due) = heard(client);
            heard.len() >= due.len()
        });
        all.then_some(())
    })
    .await;
    for client in stage.crowd.iter().filter(|client| client.belief().id.is_some()) {
        let (heard, due) = heard(client);
        assert_eq!(heard.len(), due.len(), "as often as members were lost");
        assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), due, "each of them once");
    }
}

async fn kill(victims: &[usize], comeback: Comeback) {
    let mut stage = Stage::set(NODE, Plan { comeback, ..Plan::default() }).await;
    let before = stage.crowd.memberships();
    let lost = memberships_at(&stage.crowd, victims);
    let from = stage.ledger.len();
    let killed = stage.kill_nodes(victims).await;
    let took = stage.converged(killed, Duration::from_secs(15)).await;
    println!("converged {took:.2?} after kill -9 of {} nodes with {} memberships", victims.len(), lost.len());
    // What was taken out of the store is reported a moment later.
    stage.ledger.until("all are reported", from, Duration::from_secs(2), |entries| entries.len() >= lost.len()).await;
    assert_survivors_hear(&stage, &lost).await;
    assert_left_once(&stage.ledger, from, &lost);
    stage.assert_ledger(from, &before);
    stage.assert_messages_flow(Duration::from_secs(3)).await;
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
    let mut stage = stage().await;
    let (before, from) = (stage.crowd.memberships(), stage.ledger.len());
    let killed = stage.kill_nodes(&[0, 1, 2]).await;
    // The new one bears the name of an old one. For longer than half a lease nobody renewed any.
    sleep_until(killed + Duration::from_secs(6)).await;
    stage.start_node(0).await;
    let took = stage.converged(killed, Duration::from_secs(25)).await;
    println!("nothing was left {took:.2?} after kill -9 of all nodes");
    stage.ledger.until("all are reported", from, Duration::from_secs(2), |entries| entries.len() >= before.len()).await;
    assert_left_once(&stage.ledger, from, &before);
    // What a node without clients needs, and that old lives are over.
    let keys: Vec<String> = stage.redis().ask(&["KEYS", "*"]).await;
    assert!(keys.len() <= 6, "{} keys are left: {:?}", keys.len(), &keys[..keys.len().min(20)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_who_cleans_up_is_killed_another_finishes_and_nothing_is_removed_twice() {
    // Most clients are at the first node, so that cleaning up after it takes several steps.
    let node_of = |client| if client % 10 < 8 { 0 } else { 1 + client % 2 };
    let mut stage = Stage::set(NODE, Plan { proxied: true, node_of, ..Plan::default() }).await;
    let from = stage.ledger.len();
    let lost = memberships_at(&stage.crowd, &[0]);
    stage.kill_nodes(&[0]).await;
    // Each step takes a while.
    stage.proxies.iter().for_each(|proxy| proxy.inject(Fault::Delay(Duration::from_millis(25)), Lines::All));
    let left = |entry: &Entry| matches!(entry.what, Happening::Left { .. });
    stage.ledger.until("clean-up begins", from, Duration::from_secs(15), |entries| entries.iter().any(left)).await;
    let begun = stage.ledger.since(from).into_iter().find(left).expect("it was there");
    let second = usize::from(begun.node == "node-2") + 1;
    let lost_later = memberships_at(&stage.crowd, &[second]);
    let killed = stage.kill_nodes(&[second]).await;
    stage.proxies.iter().for_each(Proxy::heal);
    let by_second = stage.ledger.left_since(from).len();
    assert!(by_second < lost.len(), "it was killed before it had finished");
    let took = stage.converged(killed, Duration::from_secs(15)).await;
    let left = stage.ledger.left_since(from);
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
    stage.assert_messages_flow(Duration::from_secs(3)).await;
}
