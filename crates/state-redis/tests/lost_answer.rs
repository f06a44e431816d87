//! A command is carried out and its answer is lost: nothing is forgotten and nothing happens twice.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use roomwire_core::{
    ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NodeId, RoomId, RoomKey, StateError, StateStore,
    Timestamp,
};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

const LEASE: Duration = Duration::from_secs(60);

/// Between a node and Redis: closes a connection in place of an answer, so many times.
#[derive(Clone, Default)]
struct Thief(Arc<AtomicUsize>);

impl Thief {
    async fn before(&self, server: SocketAddr) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("has one").port();
        let thief = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("connects");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, None));
                tokio::spawn(carry(from_server, to_client, Some(thief.clone())));
            }
        });
        port
    }

    fn steal(&self, answers: usize) {
        self.0.store(answers, Ordering::SeqCst);
    }

    fn takes_this(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, thief: Option<Thief>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if thief.as_ref().is_some_and(Thief::takes_this) || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

fn client(number: usize) -> ClientKey {
    ClientKey::new(Namespace::root(), ClientId::new(format!("c{number}")).expect("valid"))
}

fn room() -> RoomKey {
    RoomKey::new(Namespace::root(), RoomId::new("r").expect("valid"))
}

struct Node {
    state: RedisState,
    incarnation: Incarnation,
}

async fn node(url: String) -> Node {
    // One connection for commands, so that no other answer is stolen.
    let state = RedisState::connect(&RedisConfig::new(url).pool_size(1)).await.expect("connects");
    let incarnation = Incarnation::begin(NodeId::random());
    state.begin_lease(&incarnation, LEASE).await.expect("begins");
    Node { state, incarnation }
}

impl Node {
    async fn connect(&self, number: usize) {
        let key = client(number);
        let new = NewClient { key, user: None, metadata: Metadata::new(), connected_at: Timestamp::from_millis(1) };
        self.state.connect(&self.incarnation, &new).await.expect("connects");
    }
}

#[tokio::test]
async fn what_a_clean_up_took_is_reported_though_its_answer_was_lost() {
    const CLIENTS: usize = 40;
    let server = RedisServer::start().await;
    let lost = node(server.url()).await;
    for number in 0..CLIENTS {
        lost.connect(number).await;
        lost.state.join(&lost.incarnation, &client(number), &room()).await.expect("joins");
    }
    lost.state.end_lease(&lost.incarnation).await.expect("ends");
    let thief = Thief::default();
    let port = thief.before(server.address()).await;
    let survivor = node(format!("redis://127.0.0.1:{port}")).await;

    let (mut departed, mut gone) = (Vec::new(), Vec::new());
    for step in 0.. {
        // Every other step loses its answer: once, or so often that the call fails.
        thief.steal([0, 1, 0, 100][step % 4]);
        match survivor.state.reap(&survivor.incarnation, &lost.incarnation, 7).await {
            Ok(outcome) => {
                departed.extend(outcome.departures.into_iter().map(|departure| departure.client));
                gone.extend(outcome.clients);
                if outcome.finished {
                    break;
                }
            }
            Err(StateError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        thief.steal(0);
    }
    let all: BTreeSet<_> = (0..CLIENTS).map(client).collect();
    for reported in [departed, gone] {
        assert_eq!(reported.len(), CLIENTS, "once each");
        assert_eq!(BTreeSet::from_iter(reported), all);
    }
}

#[tokio::test]
async fn a_join_with_a_lost_answer_is_one_membership() {
    let server = RedisServer::start().await;
    let thief = Thief::default();
    let port = thief.before(server.address()).await;
    let node = node(format!("redis://127.0.0.1:{port}")).await;
    for number in 0..20 {
        node.connect(number).await;
        thief.steal(number % 2);
        node.state.join(&node.incarnation, &client(number), &room()).await.expect("joins");
    }
    assert_eq!(node.state.member_count(&room()).await.expect("reads"), 20);
}

#[tokio::test]
async fn a_leave_with_a_lost_answer_fails_instead_of_guessing() {
    let server = RedisServer::start().await;
    let thief = Thief::default();
    let port = thief.before(server.address()).await;
    let node = node(format!("redis://127.0.0.1:{port}")).await;
    for number in 0..2 {
        node.connect(number).await;
        node.state.join(&node.incarnation, &client(number), &room()).await.expect("joins");
    }
    // So that the server knows the scripts, and the answer that is stolen is the one that counts.
    assert!(!node.state.leave(&node.incarnation, &client(9), &room()).await.expect("no member"));
    assert_eq!(node.state.disconnect(&node.incarnation, &client(9)).await.expect("no client"), []);
    thief.steal(1);
    let left = node.state.leave(&node.incarnation, &client(0), &room()).await;
    assert!(matches!(left, Err(StateError::Unavailable(_))), "whether there was a membership is unknown: {left:?}");
    // Opens a connection again.
    assert_eq!(node.state.member_count(&room()).await.expect("reads"), 1);
    thief.steal(1);
    let gone = node.state.disconnect(&node.incarnation, &client(1)).await;
    assert!(matches!(gone, Err(StateError::Unavailable(_))), "which rooms it was in is unknown: {gone:?}");
    assert_eq!(node.state.member_count(&room()).await.expect("reads"), 0);
}
