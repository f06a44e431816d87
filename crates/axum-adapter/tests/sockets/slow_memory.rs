//! A client that stops reading while 20 MB are broadcast is gone in time, costs little memory, and no other client's
//! latency.

use std::time::{Duration, Instant};

use roomwire_service::{Client, Data, DisconnectReason, Error, Gateway, WebSocketService};
use tokio::{
    sync::mpsc::{Receiver, UnboundedReceiver, channel, unbounded_channel},
    task::JoinSet,
};

use crate::support::{Departures, Fixture, Polling, WebSocket, allow_many_files, config, eventually, within};

/// Well-behaved clients that chat all the time, and those among them that get the 20 MB too.
const CHATTING: usize = 100;
const READING: usize = 4;
/// 20 MB, in messages as large as many files that are shared.
const MESSAGES: usize = 2500;
const MESSAGE: usize = 8_000;
/// After how many of them the sender waits for its readers.
const BATCH: usize = 25;
/// How much more memory the process may have at any moment.
const GROWTH: usize = 16_000_000;
const DEADLINE: Duration = Duration::from_secs(15);
const ROUNDS: usize = 4;
/// Two rounds without any attacker differ by more than twice below this: one turn of the system's scheduler on a
/// machine that does something else too.
const FLOOR: Duration = Duration::from_millis(10);

async fn join(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.join_room(&client, &*room).await
}

/// The memory this process has, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

/// Clients that are all in a room, each read by a task of its own.
struct Readers {
    heard: Receiver<String>,
    count: usize,
    _tasks: JoinSet<()>,
}

impl Readers {
    async fn enter(fixture: &Fixture, count: usize, room: &str) -> Self {
        let (hear, heard) = channel(100_000);
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (mut socket, hear) = (WebSocket::connect(fixture.address).await, hear.clone());
            assert_eq!(socket.ask_for(1, &format!(r#"["join","{room}"]"#)).await, "[null]");
            tasks.spawn(async move {
                while let Some(message) = socket.next().await {
                    let _ = hear.send(message).await;
                }
            });
        }
        Self { heard, count, _tasks: tasks }
    }

    /// All of them get exactly this message next.
    async fn all_hear(&mut self, wanted: &str) {
        for _ in 0..self.count {
            let heard = within("a message", self.heard.recv()).await.expect("they read");
            assert!(heard == wanted, "{:.40} instead of {wanted:.40}", heard);
        }
    }
}

/// Broadcasts the 20 MB, in step with those that read.
async fn broadcast(service: WebSocketService, mut readers: Readers) -> Readers {
    let text = "x".repeat(MESSAGE);
    for number in 0..MESSAGES {
        service.broadcast_to_room("bulk", "said", &(number, &text)).await.expect("sent");
        if (number + 1) % BATCH == 0 {
            // In order and without a gap for each of them; together they hear each number as often as there are
            // readers.
            let mut heard = vec![0; BATCH];
            for _ in 0..BATCH * READING {
                let message = within("a message", readers.heard.recv()).await.expect("they read");
                let number: usize =
                    message[11..].split(',').next().and_then(|number| number.parse().ok()).expect("a number");
                heard[number % BATCH] += 1;
            }
            assert_eq!(heard, vec![READING; BATCH]);
        }
    }
    readers
}

/// Chats until the other end is dropped: one message after the other, each when all have the one before. Tells how
/// long each took to reach all.
async fn chat(
    service: WebSocketService,
    mut clients: Readers,
    mut until: UnboundedReceiver<()>,
) -> (Readers, Vec<Duration>) {
    let mut took = Vec::new();
    while until.try_recv() != Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) {
        let (number, began) = (took.len(), Instant::now());
        service.broadcast_to_room("chat", "said", &number).await.expect("sent");
        clients.all_hear(&format!(r#"42["said",{number}]"#)).await;
        took.push(began.elapsed());
    }
    (clients, took)
}

enum Attacker {
    None,
    Websocket(WebSocket),
    Polling(Polling),
}

/// What was seen while the 20 MB were broadcast once.
struct Round {
    took: Vec<Duration>,
    growth: usize,
}

struct Scene {
    fixture: Fixture,
    departures: Departures,
    clients: Option<(Readers, Readers)>,
}

impl Scene {
    async fn round(&mut self, attacker: &Attacker) -> Round {
        let (chatting, reading) = self.clients.take().expect("set");
        let service = &self.fixture.service;
        let before = resident();
        let (stop, stopped) = unbounded_channel::<()>();
        let chatting = tokio::spawn(chat(service.clone(), chatting, stopped));
        let began = Instant::now();
        let mut reading = tokio::spawn(broadcast(service.clone(), reading));
        let (mut highest, mut pace) = (before, tokio::time::interval(Duration::from_millis(2)));
        let reading = loop {
            tokio::select! {
                reading = &mut reading => break reading.expect("all is read"),
                _ = pace.tick() => highest = highest.max(resident()),
            }
        };
        let session = match attacker {
            Attacker::None => None,
            Attacker::Websocket(socket) => Some(&socket.id),
            Attacker::Polling(polling) => Some(&polling.id),
        };
        if let Some(session) = session {
            assert_eq!(self.departures.reason_of(session).await, DisconnectReason::SlowConsumer);
            assert!(began.elapsed() < DEADLINE, "gone after {:?}", began.elapsed());
        }
        drop(stop);
        let (chatting, took) = chatting.await.expect("all is heard");
        self.clients = Some((chatting, reading));
        Round { took, growth: highest.max(resident()) - before }
    }

    async fn attacker(&self, room: &str, polling: bool) -> Attacker {
        let join = format!(r#"421["join","{room}"]"#);
        if polling {
            let mut client = Polling::connect(self.fixture.address).await;
            assert_eq!(client.post(&join).await.status, 200);
            client.poll().await;
            Attacker::Polling(client)
        } else {
            let mut client = WebSocket::connect(self.fixture.address).await;
            client.ask_for(1, &join[3..]).await;
            Attacker::Websocket(client)
        }
    }
}

fn p99(rounds: &mut [Duration]) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_during_a_broadcast_of_20_mb_does_not_affect_the_others() {
    allow_many_files();
    let (gateway, departures) = Departures::of(Gateway::new().on("join", join));
    let fixture = Fixture::new(config(), gateway).await;
    let chatting = Readers::enter(&fixture, CHATTING, "chat").await;
    let reading = Readers::enter(&fixture, READING, "bulk").await;
    let mut scene = Scene { fixture, departures, clients: Some((chatting, reading)) };
    // What the process needs for the 20 MB as such.
    scene.round(&Attacker::None).await;

    let (mut calm, mut attacked) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        calm.extend(scene.round(&Attacker::None).await.took);
        let attacker = scene.attacker("bulk", round % 2 == 1).await;
        let seen = scene.round(&attacker).await;
        assert!(seen.growth <= GROWTH, "{} bytes more", seen.growth);
        println!("round {round}: {} bytes more at most", seen.growth);
        attacked.extend(seen.took);
        drop(attacker);
        eventually("it is gone", async || scene.fixture.service.local_client_count() == CHATTING + READING).await;
    }
    assert!(scene.departures.is_empty(), "nobody else");
    let samples = (calm.len(), attacked.len());
    let (calm, attacked) = (p99(&mut calm), p99(&mut attacked));
    println!("p99 of {samples:?} messages to all: {calm:?} without, {attacked:?} with whoever does not read");
    assert!(samples.0.min(samples.1) >= 200, "too few samples: {samples:?}");
    assert!(attacked <= calm.max(FLOOR) * 2, "p99 {attacked:?}, and {calm:?} without");
}
