//! A client that leaves a namespace and connects to it again in one segment or one HTTP body: store, node, rooms, events
//! and gauges agree after each hundred rounds, also while handlers of its former session end.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use futures_util::future::join_all;
use roomwire_core::{PageRequest, RoomId};
use roomwire_service::{Client, ClientId, Data, Error, Gateway, WebSocketService};
use tokio::time::sleep;

use crate::support::{Counters, Fixture, Ledger, Polling, WebSocket, chance, config, connected_id, eventually, frame};

const CLIENTS: usize = 100;
/// Of these so many speak by HTTP requests.
const POLLING: usize = 20;
const ROUNDS: usize = 2_000;
const ROOMS: u64 = 7;

async fn slow(Data(millis): Data<u64>) -> Result<(), Error> {
    sleep(Duration::from_millis(millis)).await;
    Ok(())
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn kick(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.disconnect_client(&client).await
}

/// Mostly short, up to 300 ms.
fn some_millis(seed: &mut u64) -> u64 {
    match chance(seed, 400) {
        0 => 20 + chance(seed, 281),
        1..160 => chance(seed, 20),
        _ => 0,
    }
}

enum Connection {
    WebSocket(WebSocket),
    Polling(Polling, VecDeque<String>),
}

impl Connection {
    async fn open(address: SocketAddr, number: usize) -> Self {
        if number < POLLING {
            Self::Polling(Polling::connect(address).await, VecDeque::new())
        } else {
            Self::WebSocket(WebSocket::connect(address).await)
        }
    }

    fn id(&self) -> ClientId {
        let (Self::WebSocket(WebSocket { id, .. }) | Self::Polling(Polling { id, .. }, _)) = self;
        ClientId::new(id.clone()).expect("valid")
    }

    /// Waits until it is connected.
    async fn connected(&mut self) {
        let packet = self.expect("40{").await;
        let (Self::WebSocket(WebSocket { id, .. }) | Self::Polling(Polling { id, .. }, _)) = self;
        *id = connected_id(&packet);
    }

    /// Sends packets in one segment, or one body.
    async fn send(&mut self, packets: &[String]) {
        match self {
            Self::WebSocket(socket) => {
                let bytes: Vec<u8> = packets.iter().flat_map(|packet| frame(packet)).collect();
                socket.write(&bytes).await;
            }
            Self::Polling(polling, _) => assert_eq!(polling.post(&packets.join("\u{1e}")).await.status, 200),
        }
    }

    /// The next packet that begins so; what comes before is not looked at.
    async fn expect(&mut self, start: &str) -> String {
        loop {
            let packet = match self {
                Self::WebSocket(socket) => socket.message().await,
                Self::Polling(polling, unread) => {
                    if unread.is_empty() {
                        unread.extend(polling.poll().await);
                    }
                    unread.pop_front().expect("a packet")
                }
            };
            if packet.starts_with(start) {
                return packet;
            }
            assert!(!packet.starts_with("44"), "refused: {packet}");
        }
    }
}

/// A client as it should be.
struct Person {
    connection: Connection,
    rooms: BTreeSet<RoomId>,
    seed: u64,
}

impl Person {
    fn some_room(&mut self) -> RoomId {
        RoomId::new(format!("room-{}", chance(&mut self.seed, ROOMS))).expect("valid")
    }

    /// Does something, leaves while that is being done and connects again, all at once. Now and then the server
    /// disconnects it.
    async fn come_back(&mut self) {
        let mut packets = Vec::new();
        for _ in 0..chance(&mut self.seed, 3) {
            packets.push(format!(r#"42["slow",{}]"#, some_millis(&mut self.seed)));
            packets.push(format!(r#"42["join","{}"]"#, self.some_room()));
        }
        if chance(&mut self.seed, 8) == 0 {
            packets.push(r#"42["kick"]"#.to_owned());
            self.connection.send(&packets).await;
            self.connection.expect("41").await;
            self.connection.send(&["40".to_owned()]).await;
        } else {
            packets.extend(["41".to_owned(), "40".to_owned()]);
            self.connection.send(&packets).await;
        }
        self.connection.connected().await;
        self.rooms.clear();
        for ack in 0..chance(&mut self.seed, 4) {
            let room = self.some_room();
            self.connection.send(&[format!(r#"42{ack}["join","{room}"]"#)]).await;
            self.connection.expect(&format!("43{ack}[")).await;
            self.rooms.insert(room);
        }
    }
}

async fn assert_all_agree(fixture: &Fixture, ledger: &Ledger, counters: &Counters, people: &[Person]) {
    let service = &fixture.service;
    // A client is told that it is connected a moment before it takes part, and handlers of its former session end later.
    fixture.holds(people.len()).await;
    eventually("former sessions have ended", async || {
        service.client_count().await.is_ok_and(|count| count == people.len() as u64)
    })
    .await;
    let expected: BTreeMap<_, _> = people.iter().map(|person| (person.connection.id(), person.rooms.clone())).collect();
    let clients = service.clients(&PageRequest::first(PageRequest::MAX_LIMIT)).await.expect("answers").items;
    let stored = clients.into_iter().map(|client| (client.id, BTreeSet::from_iter(client.rooms)));
    assert_eq!(BTreeMap::from_iter(stored), expected, "the store");
    assert_eq!(service.client_count().await.expect("answers"), people.len() as u64);
    for room in people.iter().flat_map(|person| &person.rooms).collect::<BTreeSet<_>>() {
        let members = expected.values().filter(|rooms| rooms.contains(room)).count();
        assert_eq!(service.member_count(room).await.expect("answers"), members as u64, "{room}");
    }
    let here = expected.keys().map(|id| {
        let client = service.local_client(id).expect("is here");
        (id.clone(), BTreeSet::from_iter(client.rooms()))
    });
    assert_eq!(BTreeMap::from_iter(here), expected, "the node");
    eventually("the events agree", async || ledger.present().await == expected).await;
    assert_eq!(counters.level("roomwire_clients"), people.len() as f64);
}

#[tokio::test]
async fn a_client_that_leaves_and_connects_at_once_is_there_afterwards_two_thousand_times() {
    let counters = Counters::default();
    let _counting = counters.count();
    let fixture = Fixture::new(config(), Gateway::new().on("slow", slow).on("join", join).on("kick", kick)).await;
    let ledger = Ledger::of([fixture.service.clone()]);
    let people = (0..CLIENTS).map(async |number| {
        let connection = Connection::open(fixture.address, number).await;
        Person { connection, rooms: BTreeSet::new(), seed: number as u64 }
    });
    let mut people = join_all(people).await;
    fixture.holds(CLIENTS).await;
    for _ in 0..ROUNDS / CLIENTS {
        join_all(people.iter_mut().map(Person::come_back)).await;
        assert_all_agree(&fixture, &ledger, &counters, &people).await;
    }
    join_all(people.iter_mut().map(async |person| person.connection.send(&["41".to_owned()]).await)).await;
    fixture.empty().await;
    assert_all_agree(&fixture, &ledger, &counters, &[]).await;
}
