//! Malformed packets: those that were thought of, and a million that were not.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use roomwire_hostile::{Fixture, Http, Mutation, Mutator, Polling, Settings, WebSocket, corpus, frame, within};
use tokio::{task::JoinSet, time::Instant};

/// How many mutations there are; `HOSTILE_MUTATIONS` says otherwise. An unoptimized build handles a few thousand a
/// second.
const MUTATIONS: u64 = if cfg!(debug_assertions) { 150_000 } else { 1_000_000 };
/// How many connections send them at a time.
const LINES: u64 = 4;
/// How many go out together, when none is likely to end the connection.
const BATCH: usize = 25;
/// How many go over one connection: as many as one may send at once, and as many that are refused.
const EACH: usize = 400;
/// One of so many harsh ones goes by an HTTP request.
const POSTED: u64 = 16;

/// A number from the environment, to repeat a run.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One attacker: sends mutations, over one connection as long as it stands, until there were enough.
struct Line {
    server: SocketAddr,
    mutator: Mutator,
    client: Option<WebSocket>,
    /// How many went over this connection.
    sent: usize,
    harsh: VecDeque<Mutation>,
    connections: u64,
}

impl Line {
    async fn run(mut self, enough: u64) -> u64 {
        let mut delivered = 0;
        while delivered < enough {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                let mutation = self.mutator.mutation();
                if mutation.is_harsh() {
                    self.harsh.push_back(mutation);
                } else {
                    batch.push(mutation);
                }
            }
            if self.survives(&batch).await {
                delivered += batch.len() as u64;
            } else {
                // One of them was read for certain. Each of the others goes alone.
                delivered += 1;
                self.harsh.extend(batch.into_iter().skip(1));
            }
            while let Some(mutation) = self.harsh.pop_front() {
                delivered += 1;
                if delivered % POSTED == 0
                    && mutation.is_harsh()
                    && let Some(body) = &mutation.body
                {
                    self.post(body).await;
                } else {
                    self.survives(std::slice::from_ref(&mutation)).await;
                }
            }
        }
        self.connections
    }

    /// Sends them, and asks something to know that they were read; whether the connection still stands.
    async fn survives(&mut self, batch: &[Mutation]) -> bool {
        if self.sent + batch.len() > EACH {
            self.client = None;
        }
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                self.connections += 1;
                self.sent = 0;
                none.insert(WebSocket::connect(self.server).await)
            }
        };
        self.sent += batch.len() + 1;
        let probe = frame(r#"42999["size",0]"#);
        let bytes: Vec<u8> = batch.iter().flat_map(|mutation| &mutation.websocket).chain(&probe).copied().collect();
        let answered = client.try_write(&bytes).await
            && tokio::time::timeout(Duration::from_secs(2), client.acknowledged(999))
                .await
                .is_ok_and(|answer| answer.is_some());
        if !answered {
            // What is no whole frame makes the server wait for the rest of it.
            self.client = None;
        }
        answered
    }

    async fn post(&mut self, body: &[u8]) {
        self.connections += 1;
        let mut client = Polling::connect(self.server).await;
        client.posts.send("POST", &client.target, "", body).await;
        let answer = client.posts.answer().await.expect("an answer");
        assert!([200, 400, 413].contains(&answer.status), "{:?}: {answer:?}", String::from_utf8_lossy(body));
        client.post("1").await;
    }
}

/// What was thought of: before and after CONNECT, by websocket and by POST.
async fn all_of_corpus(server: SocketAddr) -> usize {
    for bytes in corpus() {
        for connects in [false, true] {
            let mut client = if connects { WebSocket::connect(server).await } else { WebSocket::open(server).await };
            client.write(&bytes).await;
            client.write(&bytes).await;
            client.send("1").await;
            // Whether it read to the goodbye or not: it ends the connection, or waits for the rest of a frame.
            let _ = tokio::time::timeout(Duration::from_millis(100), client.closed_by_server()).await;
            client.reset();
        }
        let text = bytes.get(6..).unwrap_or_default();
        let mut client = Polling::connect(server).await;
        client.posts.send("POST", &client.target, "", text).await;
        let answer = client.posts.answer().await.expect("an answer");
        assert!([200, 400, 413].contains(&answer.status), "{answer:?}");
        client.post("1").await;
        let mut http = Http::connect(server).await;
        http.write(&bytes).await;
    }
    corpus().len()
}

#[tokio::test]
async fn malformed_packets_affect_only_their_sender() {
    let (seed, mutations) = (number("HOSTILE_SEED", rand::random()), number("HOSTILE_MUTATIONS", MUTATIONS));
    println!("mutations: HOSTILE_SEED={seed} makes the same again");
    let fixture = Fixture::set(crate::SERVER, "mutations", Settings::default()).await;
    let server = fixture.address();
    let known = fixture.attack(all_of_corpus(server)).await;
    println!("mutations: {known} of the corpus, each in four ways");
    let began = Instant::now();
    let connections = Arc::new(AtomicU64::new(0));
    let counting = connections.clone();
    fixture
        .attack(async move {
            let mut lines = JoinSet::new();
            for nth in 0..LINES {
                let mutator = Mutator::new(seed.wrapping_add(nth));
                let line = Line { server, mutator, client: None, sent: 0, harsh: VecDeque::new(), connections: 0 };
                let counting = counting.clone();
                lines.spawn(async move {
                    counting.fetch_add(line.run(mutations.div_ceil(LINES)).await, Ordering::Relaxed);
                });
            }
            lines.join_all().await;
        })
        .await;
    println!(
        "mutations: {mutations} over {} connections in {:.1?}",
        connections.load(Ordering::Relaxed),
        began.elapsed()
    );
    let mut healthy = WebSocket::connect(server).await;
    let answer = within("an answer", healthy.ask_for(1, r#"["size",1]"#)).await;
    assert_eq!(answer.as_deref(), Some("[1]"));
    drop(healthy);
    fixture.settles().await;
    fixture.verdict().await;
}
