//! Connections that are of no use to anybody.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use roomwire_hostile::{Fixture, Http, Settings, WebSocket, fresh};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep, timeout},
};

/// In which each of them must be closed.
const MOST: Duration = Duration::from_secs(12);
/// Before which none is: it would have been refused, which is another matter.
const LEAST: Duration = Duration::from_secs(1);
/// How many come from one address, which may have 250.
const EACH: usize = 200;

/// Between two of them. They would be as many if they came in one instant, and all that is to be seen then is how long
/// a small machine takes to accept them.
const BETWEEN: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Sends nothing.
    Silent,
    /// Sends a head, a byte a second.
    Dripping,
    /// Sends the body of a POST, a byte a second.
    SlowPost,
    /// Opens a session and does not connect to a namespace.
    NoConnect,
    /// Connects to a namespace and leaves it.
    Leaver,
}

/// Two thousand in all. Those that open sessions leave room for the crowd under `maxConnections`.
const KINDS: [Kind; 10] = [
    Kind::Silent,
    Kind::Silent,
    Kind::Silent,
    Kind::Dripping,
    Kind::Dripping,
    Kind::Dripping,
    Kind::SlowPost,
    Kind::NoConnect,
    Kind::Leaver,
    Kind::Leaver,
];

impl Kind {
    /// How long the server lets it be.
    async fn lifetime(self, from: Ipv4Addr, server: SocketAddr) -> Duration {
        let begin = match self {
            Self::Silent => {
                let mut http = Http::try_from_address(from, server).await.expect("connects");
                let begin = Instant::now();
                assert_eq!(http.rest().await, "");
                begin
            }
            Self::Dripping => {
                let http = Http::try_from_address(from, server).await.expect("connects");
                let begin = Instant::now();
                drip(http, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\n").await;
                begin
            }
            Self::SlowPost => {
                // All by one connection.
                let mut http = Http::try_from_address(from, server).await.expect("connects");
                let opened = http.ask("GET", "/socket.io/?EIO=4&transport=polling", "").await;
                let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
                let session = open["sid"].as_str().expect("a session");
                let target = format!("/socket.io/?EIO=4&transport=polling&sid={session}");
                assert_eq!(http.ask("POST", &target, "40").await.status, 200);
                let head = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
                http.write(head.as_bytes()).await;
                let begin = Instant::now();
                drip(http, &[b'4'; 100]).await;
                begin
            }
            Self::NoConnect => {
                let mut client = WebSocket::open_from(from, server).await.expect("a session");
                let begin = Instant::now();
                client.closed_by_server().await;
                begin
            }
            Self::Leaver => {
                let mut client = WebSocket::connect_from(from, server).await.expect("is let in");
                client.send("41").await;
                let begin = Instant::now();
                client.closed_by_server().await;
                begin
            }
        };
        begin.elapsed()
    }
}

/// Sends a byte a second until the connection is closed.
async fn drip(mut http: Http, bytes: &[u8]) {
    let mut second = interval(Duration::from_secs(1));
    for byte in bytes {
        tokio::select! {
            _ = second.tick() => {}
            _ = http.rest() => return,
        }
        if !http.try_write(&[*byte]).await {
            return;
        }
    }
    panic!("it was let be for {} s", bytes.len());
}

#[tokio::test]
async fn two_thousand_connections_of_no_use_are_closed_in_time_and_honest_clients_connect_throughout() {
    let fixture = Fixture::set(crate::SERVER, "useless connections", Settings::default()).await;
    let server = fixture.address();
    let lifetimes = fixture
        .attack(async move {
            let mut all = JoinSet::new();
            for kind in KINDS {
                let from = fresh();
                for _ in 0..EACH {
                    sleep(BETWEEN).await;
                    all.spawn(async move {
                        let lifetime = timeout(MOST * 2, kind.lifetime(from, server)).await;
                        (kind, lifetime.unwrap_or_else(|_| panic!("{kind:?} was let be")))
                    });
                }
            }
            all.join_all().await
        })
        .await;
    assert_eq!(lifetimes.len(), 2000);
    let (kind, longest) = lifetimes.iter().max_by_key(|(_, lifetime)| *lifetime).expect("some");
    println!("useless connections: the last one, {kind:?}, was closed after {longest:.1?}");
    assert!(*longest <= MOST, "{kind:?} was let be for {longest:?}");
    let (kind, shortest) = lifetimes.iter().min_by_key(|(_, lifetime)| *lifetime).expect("some");
    assert!(*shortest >= LEAST, "{kind:?} was closed after {shortest:?}");
    fixture.settles().await;
    fixture.verdict().await;
}
