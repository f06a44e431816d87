//! Processes that were given the same node id: each is reached, and nothing is lost between them.

use std::{collections::BTreeSet, time::Duration};

use roomwire_chaos::{Client, Comeback, Fixture, Plan, Turn, eventually, rooms};
use roomwire_core::{Backplane, Namespace, NewRoom, NodeId, StateStore, TokenId, UserId, config::Limits};
use roomwire_service::{
    ClientId, Gateway, Handshake, Identity, WebSocketConfig, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryHub;
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::RedisServer;
use tokio::time::{Instant, timeout};

use crate::{NODE, fixture};

const ROUNDS: usize = 3;
const SOON: Duration = Duration::from_secs(5);
/// The lease of nodes, as it is unless set.
const LEASE: Duration = Duration::from_secs(10);
/// In how many rooms each client of a fixture is.
const ROOMS_EACH: usize = 3;
/// The time limit for acknowledgements of all clients.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn server(state: impl StateStore + Backplane) -> TestServer {
    let mut config = WebSocketConfig {
        node_id: Some(NodeId::new("twin").expect("valid")),
        limits: Limits::default().without_rates(),
        ..WebSocketConfig::default()
    };
    config.state.timeout = SOON;
    let service = WebSocketService::builder(config).state(state).build().await.expect("builds");
    TestServer::new(service, Gateway::new()).expect("serves")
}

async fn connect(server: &TestServer, name: &str) -> TestClient {
    let user = UserId::new(format!("user of {name}")).expect("valid");
    let token = Some(TokenId::new(format!("token of {name}")).expect("valid"));
    let identity = Identity { token, ..Identity::of(user) };
    let handshake = Handshake::identified(ClientId::new(name).expect("valid"), identity);
    server.connect_with(&Namespace::root(), handshake).await.expect("connects")
}

async fn ends(client: &mut TestClient) {
    assert!(client.next().await.is_none(), "the connection ends");
}

/// Answers the next event with the client's own id.
async fn answer(client: &mut TestClient) {
    let id = client.id().to_string();
    client.next().await.expect("asked").acknowledge(&id).expect("answers");
}

/// All that one process can do to the clients of the other.
async fn reach(from: &TestServer, to: &TestServer, name: &str) {
    let (sender, room) = (from.service(), format!("room of {name}"));
    let mut near = connect(from, &format!("{name} near")).await;
    let mut far = connect(to, &format!("{name} far")).await;
    let mut bystander = connect(to, &format!("{name} bystander")).await;
    let user = far.handle().user().expect("has one").clone();
    from.service().join_room(near.handle(), &room).await.expect("joins");
    to.service().join_room(far.handle(), &room).await.expect("joins");

    sender.broadcast_to_room(&room, "room", &1).await.expect("sends");
    sender.broadcast("all", &2).await.expect("sends");
    sender.send_to_client(far.id(), "client", &3).await.expect("sends");
    sender.send_to_user(&user, "user", &4).await.expect("sends");
    assert_eq!((near.expect::<i32>("room").await, near.expect::<i32>("all").await), (1, 2));
    // Each channel keeps its own order.
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(far.next().await.expect("an event").name.to_string());
    }
    heard.sort_unstable();
    assert_eq!(heard, ["all", "client", "room", "user"]);
    assert_eq!(bystander.expect::<i32>("all").await, 2);

    let id = far.id().clone();
    let ask = sender.send_to_client_with_ack::<String>(&id, "ask", &(), SOON);
    let (told, ()) = tokio::join!(ask, answer(&mut far));
    assert_eq!(told.expect("answers"), id.as_str());
    let began = Instant::now();
    let ask = sender.broadcast_to_room_with_ack::<String>(&room, "ask", &(), SOON);
    let (all, (), ()) = tokio::join!(ask, answer(&mut near), answer(&mut far));
    let all = all.expect("asks");
    assert_eq!((all.answers.len(), all.silent.len()), (2, 0), "{all:?}");
    // The last answer ends the wait.
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());

    sender.delete_room(&room).await.expect("deletes");
    eventually("the other process takes its member out", SOON, async || far.handle().rooms().is_empty().then_some(()))
        .await;
    to.service().create_room(&room, NewRoom::with_capacity(1)).await.expect("the name is free");
    to.service().join_room(far.handle(), &room).await.expect("joins");
    sender.join_room(near.handle(), &room).await.expect_err("is full");

    sender.disconnect_client(far.id()).await.expect("ordered");
    ends(&mut far).await;
    let mut far = connect(to, &format!("{name} far again")).await;
    sender.disconnect_user(far.handle().user().expect("has one")).await.expect("ordered");
    ends(&mut far).await;
    let mut far = connect(to, &format!("{name} far at last")).await;
    sender.revoke_user(far.handle().user().expect("has one")).await.expect("revokes");
    ends(&mut far).await;
    assert!(bystander.drain().is_empty() && near.drain().is_empty(), "no other client receives it");
    eventually("both agree on who is there", SOON, async || {
        let count = sender.client_count().await.expect("counts");
        (count == 2).then_some(())
    })
    .await;
}

async fn reach_each_other(first: TestServer, second: TestServer) {
    for round in 0..ROUNDS {
        for (from, to, name) in [(&first, &second, "there"), (&second, &first, "back")] {
            reach(from, to, &format!("{round} {name}")).await;
            eventually("they are gone", SOON, async || {
                (from.service().client_count().await.is_ok_and(|count| count == 0)).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn processes_with_one_node_id_lose_nothing_between_them_in_memory() {
    let hub = MemoryHub::new();
    reach_each_other(server(hub.node()).await, server(hub.node()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_with_one_node_id_lose_nothing_between_them_on_redis() {
    let _turn = Turn::wait().await;
    let redis = RedisServer::start().await;
    let state = async || RedisState::connect(&RedisConfig::new(redis.url())).await.expect("connects");
    reach_each_other(server(state().await).await, server(state().await).await).await;
}

/// Three rounds of a crash: the process is started again at once, under its name, while its former incarnation holds a
/// lease. Its clients come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_crashed_works_at_once_when_it_is_started_again_under_its_name() {
    let mut fixture = Fixture::set(NODE, Plan { comeback: Comeback::Anywhere, ..Plan::default() }).await;
    for index in 0..3 {
        let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
        let killed = fixture.kill_nodes(&[index]).await;
        let ghosts = before.len() - fixture.crowd.memberships().len();
        fixture.start_node(index).await;
        let newcomer = fixture.newcomer(index).await;
        newcomer.join("room-0").await.expect("joins");
        let joined = killed.elapsed();
        eventually("the clients are back", SOON, async || {
            let mut clients = fixture.crowd.iter();
            clients
                .all(|client| client.belief().id.is_some() && client.belief().rooms.len() == ROOMS_EACH)
                .then_some(())
        })
        .await;
        fixture.assert_messages_flow(Duration::from_secs(3)).await;
        let flowed = killed.elapsed();
        assert!(flowed < LEASE, "within the lease: {flowed:?}");
        let gone = newcomer.belief().id.clone().expect("connected");
        newcomer.hang_up();
        eventually("it is gone", SOON, async || (!fixture.checker.knows(&gone).await).then_some(())).await;
        let took = fixture.converged(killed, Duration::from_secs(20)).await;
        println!(
            "node {index}: joined {joined:.2?}, messages flow {flowed:.2?}, nothing of the {ghosts} former memberships \
             {took:.2?} after the crash"
        );
        assert!(ghosts > 100, "{ghosts}");
        assert_ledger(&fixture, from, &before).await;
        fixture.assert_messages_flow(Duration::from_secs(3)).await;
    }
}

fn hears(client: &Client, number: u64) -> Option<()> {
    client.belief().heard.iter().any(|heard| heard.said.number == number).then_some(())
}

/// What the store knows is reported a moment later.
async fn assert_ledger(fixture: &Fixture, from: usize, before: &BTreeSet<(String, String)>) {
    let complete = timeout(SOON, async {
        while !fixture.ledger.faults(from, before, &fixture.crowd.memberships()).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let _ = complete.await;
    fixture.assert_ledger(from, before);
}

/// A rolling deploy: the old process and the new one of one name overlap, then the old one is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_an_old_and_a_new_process_of_one_name_overlap_nothing_is_lost() {
    let mut fixture = fixture().await;
    let names: Vec<String> = (0..3).map(|number| format!("node-{number}")).collect();
    let old = fixture.nodes[0].take().expect("runs");
    fixture.start_node(0).await;
    for round in 0..3 {
        // From the new process and the others to all clients, those of the old one among them.
        fixture.assert_messages_flow(Duration::from_secs(3)).await;
        let newcomer = fixture.newcomer(0).await;
        newcomer.join("room-1").await.expect("joins");
        let number = 2_000_000 + round;
        let failed = old.broadcast(&rooms(), "from the old", number).await.failed;
        assert!(failed.is_empty(), "{failed:?}");
        eventually("the new process hears the old one", SOON, async || hears(&newcomer, number)).await;
        let of_old = fixture.crowd.on(0).next().expect("one").belief().id.clone().expect("connected");
        newcomer.tell(&of_old, number + 1000).await.expect("reaches the old process");
        eventually("the old process hears the new one", SOON, async || {
            hears(fixture.crowd.on(0).next()?, number + 1000)
        })
        .await;
        let id = newcomer.belief().id.clone().expect("connected");
        let one = fixture.crowd.on(0).next().expect("one");
        one.tell(&id, number + 2000).await.expect("reaches the new process");
        eventually("the new process hears the old one", SOON, async || hears(&newcomer, number + 2000)).await;
        drop(newcomer);
        eventually("it is gone", SOON, async || (!fixture.checker.knows(&id).await).then_some(())).await;
        let all: Vec<_> = fixture.alive().into_iter().chain([&old]).collect();
        fixture.checker.converged(Instant::now(), SOON, &all, &fixture.crowd, &names).await;
    }
    let (warned, log) = (old.log_tail(), fixture.node(0).log_tail());
    assert!(warned.contains("two processes run with the same nodeId") || log.contains("same nodeId"), "{warned}{log}");
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    old.kill().await;
    let killed = Instant::now();
    let took = fixture.converged(killed, Duration::from_secs(15)).await;
    println!("nothing of the old process {took:.2?} after it was killed");
    assert_ledger(&fixture, from, &before).await;
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
