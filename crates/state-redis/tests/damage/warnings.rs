//! What a person is told of damage: in the log, and in the error of an operation that has to wait.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
};

use roomwire_core::{DeletionId, NewRoom, RoomKey, StateError, StateStore};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tracing::subscriber::DefaultGuard;

use crate::{LEASE, Node, P, ask, client, room};

/// What is logged on the thread of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Takes the warnings about what another program did.
    fn take(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no panic"))).expect("text");
        text.lines().filter(|line| line.contains("another program")).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rooms by the number at the end of their names that the warnings name.
fn named(warnings: &[String], name: &str) -> BTreeSet<usize> {
    let begin = format!(":r:/,{name}-");
    let found = warnings.iter().flat_map(|line| line.split(&begin).skip(1));
    found.map(|rest| rest.split('"').next().expect("one").parse().expect("a number")).collect()
}

/// A node that has logged nothing yet: one tells of damage at most once a minute.
async fn beat(server: &RedisServer, node: &Node) {
    let state = RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects");
    state.renew_lease(&node.incarnation, LEASE).await.expect("renews");
}

async fn lose(server: &RedisServer, node: &Node, rooms: impl Iterator<Item = RoomKey>) {
    for room in rooms {
        node.state.create_room(&room, &NewRoom::default()).await.expect("creates");
        ask::<u64>(server, &format!("DEL {P}:r:/,{}", room.room)).await;
    }
}

#[tokio::test]
async fn each_room_that_is_lost_is_named() {
    let (log, _guard) = Log::capture();
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    lose(&server, &node, (0..120).map(|number| room(&format!("kept-{number}")))).await;
    node.repair().await;
    beat(&server, &node).await;
    let warnings = log.take();
    assert_eq!(named(&warnings, "kept"), BTreeSet::from_iter(0..120), "{warnings:?}");
    assert_eq!(warnings.len(), 3, "a warning names some: {warnings:?}");
    assert!(warnings.iter().all(|line| line.contains("found=a room was lost") && line.contains("more=0")));
    assert!(node.rooms().await.is_empty());
}

#[tokio::test]
async fn a_room_that_is_lost_and_for_which_the_log_has_no_place_is_named_later() {
    let (log, _guard) = Log::capture();
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    let long = "x".repeat(120);
    lose(&server, &node, (0..300).map(|number| room(&format!("{long}-{number}")))).await;
    let mut all = BTreeSet::new();
    for round in 0..3 {
        node.repair().await;
        beat(&server, &node).await;
        let warnings = log.take();
        let names = named(&warnings, &long);
        let before = all.len();
        all.extend(names);
        assert!(round > 1 || all.len() > before + 50, "{round}: {}", all.len());
        let is_all = warnings.iter().all(|line| line.ends_with(" more=0"));
        assert_eq!(is_all, all.len() == 300, "{round}: {warnings:?}");
    }
    assert_eq!(all, BTreeSet::from_iter(0..300));
    assert_eq!(ask::<u64>(&server, &format!("EXISTS {P}:rs:/")).await, 0);
}

#[tokio::test]
async fn notes_of_another_program_neither_end_a_lease_nor_fill_the_log() {
    let (log, _guard) = Log::capture();
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    server.ask::<u64>(&["HSET", &format!("{P}:st"), "notes", &"a: b\n".repeat(100_000), "unnamed", "garbage"]).await;
    beat(&server, &node).await;
    let warnings = log.take();
    assert!(warnings.len() <= 40_000 / 5 / 50 + 1, "{}", warnings.len());
    assert_eq!(ask::<u64>(&server, &format!("HEXISTS {P}:st unnamed")).await, 0);
}

#[tokio::test]
async fn a_setting_that_a_node_gives_again_is_not_asked_of_a_person() {
    let server = RedisServer::start().await;
    let (node, stranger) = (Node::of(&server).await, Node::of(&server).await);
    let created = node.state.create_room(&room("r"), &NewRoom::with_capacity(3)).await;
    created.expect("creates");
    let uid = node.enter("a", &room("r")).await;
    let notes = async || ask::<Option<String>>(&server, &format!("HGET {P}:st notes")).await;
    ask::<u64>(&server, &format!("HSET {P}:r:/,r cap garbage")).await;
    node.put_back("a", &room("r"), uid).await;
    assert_eq!(ask::<u64>(&server, &format!("HGET {P}:r:/,r cap")).await, 3);
    assert_eq!(notes().await, None, "it is there again");
    ask::<u64>(&server, &format!("HSET {P}:r:/,r cap garbage")).await;
    stranger.put_back("b", &room("r"), uid).await;
    let asked = format!("what was set cannot be read and is gone, set it again: {P}:r:/,r cap\n");
    assert_eq!(notes().await, Some(asked), "this node does not know it");
}

#[tokio::test]
async fn a_refusal_because_of_a_damaged_record_does_not_say_that_data_must_have_been_lost() {
    let server = RedisServer::start().await;
    let node = Node::of(&server).await;
    node.state.create_room(&room("r"), &NewRoom::with_capacity(3)).await.expect("creates");
    node.state.connect(&node.incarnation, &client("a")).await.expect("connects");
    ask::<u64>(&server, &format!("HSET {P}:r:/,r uid garbage")).await;
    let joined = node.join("a", &room("r")).await.map(drop);
    let deleted = node.state.delete_room(&room("r"), DeletionId::random()).await.map(drop);
    for refused in [joined, deleted] {
        let Err(StateError::Unavailable(text)) = refused else { panic!("{refused:?}") };
        let text = text.to_string();
        assert!(text.contains("or what it holds of this room cannot be read"), "{text}");
        assert!(!text.contains("members are back"), "{text}: it has none");
    }
}
