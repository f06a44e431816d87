//! A message of another node that cannot be read reaches no client, disconnects none, and is told as lost.

use std::time::Duration;

use bytes::Bytes;
use roomwire_core::{BackplaneEvent, Envelope, Namespace};
use roomwire_service::{
    DisconnectReason, Gateway, Handshake, Identity, ServiceEvent, UserId, WebSocketConfig, testing::TestClient,
};
use roomwire_state_memory::MemoryHub;
use tokio::time::sleep;

use crate::fixture::{Cluster, Counters, Ledger, Log, Node, eventually};

const IGNORED: &str = "roomwire_backplane_ignored_total()";
const GAPS: &str = "roomwire_backplane_gaps_total()";
const WARNING: &str = "WARN messages of other nodes cannot be read and are lost";
const MINUTE: Duration = Duration::from_secs(60);
/// As long as some heartbeats take.
const BEATS: Duration = Duration::from_secs(5);

async fn cluster() -> Cluster {
    let mut config = WebSocketConfig::default();
    // Nothing is compared here but after a gap.
    config.lease.reconcile = Duration::from_secs(600);
    Cluster::configured(MemoryHub::new(), config, 2, Gateway::new).await
}

/// A client of the user `ada` in the room `r`.
async fn member(node: &Node, name: &str) -> TestClient {
    let identity = Identity::of(UserId::new("ada").expect("valid"));
    let handshake = Handshake::identified(name.parse().expect("valid"), identity);
    let client = node.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
    node.service.join_room(client.handle(), "r").await.expect("joins");
    client
}

fn gaps(ledger: &Ledger) -> usize {
    ledger.events().iter().filter(|event| **event == ServiceEvent::BackplaneGap).count()
}

#[tokio::test(start_paused = true)]
async fn a_message_with_a_flipped_bit_is_dropped_and_counted_and_the_next_one_arrives() {
    let (counters, log) = (Counters::default(), Log::capture());
    let _counting = counters.count();
    let cluster = cluster().await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let ledger = Ledger::of([there.service.clone()]);
    let (mut near, mut far) = (member(here, "near").await, member(there, "far").await);
    for number in 0..100 {
        here.bus.damage(true);
        here.service.broadcast_to_room("r", "news", &"damaged").await.expect("sends");
        here.bus.damage(false);
        here.service.broadcast_to_room("r", "news", &number).await.expect("sends");
        assert_eq!(near.expect::<String>("news").await, "damaged");
        assert_eq!(near.expect::<i32>("news").await, number);
        assert_eq!(far.expect::<i32>("news").await, number, "it stays connected, and gets the next message only");
    }
    eventually("the gap is reported", async || gaps(&ledger) == 1).await;
    assert_eq!((counters.of(IGNORED), counters.of(GAPS)), (100, 1));
    let lines = log.take_lines();
    assert!(matches!(&lines[..], [line] if line.starts_with(WARNING) && line.contains("messages=1 ")), "{lines:?}");
    // Those that were lost since the report are told, too, though no more come.
    sleep(MINUTE + BEATS).await;
    assert_eq!((gaps(&ledger), counters.of(GAPS)), (2, 2));
    let lines = log.take_lines();
    assert!(matches!(&lines[..], [line] if line.starts_with(WARNING) && line.contains("messages=99 ")), "{lines:?}");
    assert!(there.service.health().is_healthy());
}

#[tokio::test(start_paused = true)]
async fn of_all_kinds_of_messages_none_that_is_damaged_has_an_effect() {
    let counters = Counters::default();
    let _counting = counters.count();
    let cluster = cluster().await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let ledger = Ledger::of([there.service.clone()]);
    let mut far = member(there, "far").await;
    let ada = UserId::new("ada").expect("valid");
    here.bus.damage(true);
    for number in 0..500 {
        let service = &here.service;
        service.broadcast("all", &number).await.expect("sends");
        service.broadcast_to_room("r", "room", &number).await.expect("sends");
        service.broadcast_latest_to_room("r", "latest", "key", &number).await.expect("sends");
        service.send_to_client(far.id(), "client", &number).await.expect("sends");
        service.send_to_user(&ada, "user", &number).await.expect("sends");
        service.disconnect_client(far.id()).await.expect("sends");
        service.disconnect_user(&ada).await.expect("sends");
    }
    let sent = 500 * 7;
    eventually("all came in", async || counters.of(IGNORED) == sent).await;
    sleep(BEATS).await;
    assert_eq!(far.drain().len(), 0, "nothing arrived");
    assert!(far.handle().is_connected() && far.handle().is_in(&"r".parse().expect("valid")));
    assert_eq!(ledger.disconnected(), []);
    here.bus.damage(false);
    here.service.send_to_client(far.id(), "client", &1).await.expect("sends");
    assert_eq!(far.expect::<i32>("client").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_and_a_revocation_that_are_lost_take_effect_with_the_next_comparison() {
    let cluster = cluster().await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let ledger = Ledger::of(cluster.services());
    let far = member(there, "far").await;
    let room = "r".parse().expect("valid");
    here.bus.damage(true);
    here.service.delete_room("r").await.expect("deletes");
    eventually("the member is out of the room", async || !far.handle().is_in(&room)).await;
    sleep(BEATS).await;
    assert_eq!(ledger.left("r").len(), 1, "the node that deleted it has reported that");
    // Within the same minute: the gap is not reported again yet.
    here.service.revoke_user(&UserId::new("ada").expect("valid")).await.expect("revokes");
    sleep(BEATS).await;
    let ended: Vec<_> = ledger.disconnected().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(ended, [DisconnectReason::AccessRevoked]);
    assert_eq!(gaps(&ledger), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_of_another_version_are_refused_in_words_once_a_minute() {
    let log = Log::capture();
    let cluster = cluster().await;
    let [node, _] = &cluster.nodes[..] else { panic!("two nodes") };
    for _ in 0..600 {
        node.bus.say(BackplaneEvent::Message(Bytes::from_static(b"\x02anything")));
        node.bus.say(BackplaneEvent::Unreadable("frame of version 1, expected 2".to_owned()));
        sleep(Duration::from_secs(1)).await;
    }
    let lines = log.take_lines();
    assert_eq!(lines.len(), 10, "{lines:#?}");
    let version = format!("reason=message of version 2, expected {}", Envelope::VERSION);
    assert!(lines.iter().all(|line| line.starts_with(WARNING)), "{lines:#?}");
    assert!(lines[0].ends_with(&version), "{}", lines[0]);
}
