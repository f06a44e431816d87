//! Clients that leave and come back at once, again and again, whatever their handlers do: after each hundred rounds the
//! store, the node, the rooms, the events and the gauges agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rand::random_range;
use roomwire_core::{Namespace, PageRequest, RoomId};
use roomwire_service::{
    Client, ClientId, Data, Error, Gateway, Handshake, State, WebSocketService,
    testing::{TestClient, TestServer},
};
use roomwire_state_memory::MemoryState;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::join;
use crate::fixture::{Counters, Ledger, Node, config, eventually, watched, yield_randomly};

const CLIENTS: usize = 100;
const ROOMS: usize = 7;

/// Which clients are between their `on_connect` and their `on_disconnect`.
#[derive(Clone, Default)]
struct Handlers {
    present: Arc<Mutex<BTreeSet<ClientId>>>,
    out_of_turn: Arc<AtomicUsize>,
}

impl Handlers {
    fn note(&self, in_turn: bool) {
        self.out_of_turn.fetch_add(usize::from(!in_turn), Ordering::SeqCst);
    }
}

async fn connected(State(handlers): State<Handlers>, client: Client) -> Result<(), Error> {
    handlers.note(handlers.present.lock().insert(client.id().clone()));
    Ok(())
}

async fn disconnected(State(handlers): State<Handlers>, client: Client) -> Result<(), Error> {
    yield_randomly().await;
    handlers.note(handlers.present.lock().remove(client.id()));
    Ok(())
}

async fn slow(Data(millis): Data<u64>) -> Result<(), Error> {
    sleep(Duration::from_millis(millis)).await;
    Ok(())
}

async fn leave(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.leave_room(&client, &room).await
}

/// Mostly short, up to 300 ms.
fn some_millis() -> u64 {
    match random_range(0..400) {
        0 => random_range(20..=300),
        1..160 => random_range(0..20),
        _ => 0,
    }
}

/// A service, and clients that come back to it.
struct Crowd {
    node: Node,
    ledger: Ledger,
    handlers: Handlers,
    people: BTreeMap<ClientId, Person>,
}

/// One of them, as it should be.
#[derive(Debug)]
struct Person {
    client: TestClient,
    rooms: BTreeSet<RoomId>,
}

impl Crowd {
    async fn new() -> Self {
        let handlers = Handlers::default();
        let gateway = Gateway::new().with_state(handlers.clone()).on_connect(connected).on_disconnect(disconnected);
        let gateway = gateway.on("slow", slow).on("join", join).on("leave", leave);
        let node = watched(MemoryState::new(), config(), gateway).await;
        node.store.yield_randomly();
        node.bus.yield_randomly();
        let ledger = Ledger::of([node.service.clone()]);
        let mut people = BTreeMap::new();
        for number in 0..CLIENTS {
            let id = ClientId::new(format!("c{number}")).expect("valid");
            let client =
                node.server.connect_with(&Namespace::root(), Handshake::new(id.clone())).await.expect("connects");
            people.insert(id, Person { client, rooms: BTreeSet::new() });
        }
        Self { node, ledger, handlers, people }
    }

    /// One round of each.
    async fn hundred_rounds(&mut self) {
        let mut rounds = JoinSet::new();
        for (id, person) in std::mem::take(&mut self.people) {
            let server = self.node.server.clone();
            rounds.spawn(async move { (id, person.come_back(&server).await) });
        }
        while let Some(round) = rounds.join_next().await {
            let (id, person) = round.expect("no panic");
            self.people.insert(id, person);
        }
    }

    async fn assert_all_agree(&self) {
        let Self { node: Node { service, .. }, ledger, handlers, people } = self;
        let expected: BTreeMap<_, _> = people.iter().map(|(id, person)| (id.clone(), person.rooms.clone())).collect();
        let clients = service.clients(&PageRequest::first(PageRequest::MAX_LIMIT)).await.expect("answers").items;
        let stored = clients.into_iter().map(|client| (client.id, BTreeSet::from_iter(client.rooms)));
        assert_eq!(BTreeMap::from_iter(stored), expected, "the store");
        assert_eq!(service.client_count().await.expect("answers"), CLIENTS as u64);
        for room in (0..ROOMS).map(room_name) {
            let members = expected.iter().filter(|(_, rooms)| rooms.contains(&room));
            let members: BTreeSet<_> = members.map(|(id, _)| id.clone()).collect();
            let page = service.members(&room, &PageRequest::first(PageRequest::MAX_LIMIT)).await.expect("answers");
            let stored: BTreeSet<_> = page.items.into_iter().map(|member| member.client).collect();
            assert_eq!(stored, members, "{room}");
            assert_eq!(service.member_count(&room).await.expect("answers"), members.len() as u64);
        }
        assert_eq!(service.local_client_count(), CLIENTS);
        let here = expected.keys().map(|id| {
            let client = service.local_client(id).expect("is here");
            (id.clone(), BTreeSet::from_iter(client.rooms()))
        });
        assert_eq!(BTreeMap::from_iter(here), expected, "the node");
        assert_eq!(ledger.present().await, expected, "the events");
        assert_eq!(handlers.out_of_turn.load(Ordering::SeqCst), 0, "on_disconnect comes before the next on_connect");
    }

    /// So many rounds, and the end of everybody.
    async fn go(mut self, rounds: usize, counters: Option<&Counters>) {
        let began = Instant::now();
        for _ in 0..rounds / CLIENTS {
            self.hundred_rounds().await;
            self.assert_all_agree().await;
            counters.inspect(|counters| assert_counted(counters, CLIENTS));
        }
        println!("{rounds} rounds in {:?}", began.elapsed());
        self.people.clear();
        let service = &self.node.service;
        eventually("all are gone", async || {
            service.client_count().await.expect("answers") == 0 && self.handlers.present.lock().is_empty()
        })
        .await;
        assert_eq!(service.room_count().await.expect("answers"), 0);
        assert_eq!(self.ledger.present().await, BTreeMap::new());
        counters.inspect(|counters| assert_counted(counters, 0));
    }
}

impl Person {
    /// Does something, leaves while that is being done, and is back at once.
    async fn come_back(self, server: &TestServer) -> Self {
        let former = self.client;
        for _ in 0..random_range(0..=2) {
            former.emit("slow", &some_millis());
            match random_range(0..4) {
                0 => former.emit("join", &some_room()),
                1 => former.emit("leave", &some_room()),
                _ => yield_randomly().await,
            }
        }
        former.disconnect();
        yield_randomly().await;
        let handshake = Handshake::new(former.id().clone());
        let client = server.connect_with(&Namespace::root(), handshake).await.expect("connects");
        let stored = server.service().client(client.id()).await.expect("is registered");
        assert!(stored.rooms.is_empty() && client.handle().rooms().is_empty(), "{stored:?}");
        let mut rooms = BTreeSet::new();
        for _ in 0..random_range(0..=3) {
            let room = some_room();
            client.emit_with_ack::<()>("join", &room).await.expect("joins");
            rooms.insert(room);
        }
        Self { client, rooms }
    }
}

fn room_name(number: usize) -> RoomId {
    RoomId::new(format!("room-{number}")).expect("valid")
}

fn some_room() -> RoomId {
    room_name(random_range(0..ROOMS))
}

#[track_caller]
fn assert_counted(counters: &Counters, clients: usize) {
    assert_eq!(counters.level("roomwire_clients"), clients as f64);
    let connected = counters.of("roomwire_clients_connected_total()");
    let disconnected = counters.of("roomwire_clients_disconnected_total(client disconnected)");
    assert_eq!(connected - disconnected, clients as u64);
}

#[tokio::test(start_paused = true)]
async fn three_thousand_rounds_on_one_thread_with_gauges() {
    let counters = Counters::default();
    let _counting = counters.count();
    Crowd::new().await.go(3000, Some(&counters)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_thousand_rounds_on_several_threads() {
    Crowd::new().await.go(2000, None).await;
}
