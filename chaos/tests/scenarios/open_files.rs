//! A node that may open few files, and a crowd that wants all of them.

use std::time::Duration;

use futures_util::future::join_all;
use roomwire_chaos::{Fixture, Plan, control::Happening, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::NODE;

const OPEN_FILES: u32 = 256;
/// What fits in so many, as the node computes it: 64 are kept, 24 are spare, a client has two.
const CLIENTS_THAT_FIT: usize = 84;
/// A third of them is connected to the node.
const CLIENTS: usize = 60;
const CONNECTS: usize = 400;
const NEWCOMERS: usize = 100;
const NODE_WITH_FEW: usize = 2;
/// Without files that are kept it takes 2 to 8 seconds: until a connection of the crowd ends, and the crowd is slower
/// to take its file.
const REACHED: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

/// Connects again and again, half of the time to be a client, and holds what it gets until the other side ends it.
async fn wants_in(address: std::net::SocketAddr, by_websocket: bool) {
    let handshake = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    loop {
        if let Ok(Ok(mut stream)) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            if by_websocket {
                let _ = stream.write_all(handshake.as_bytes()).await;
            }
            let mut read = [0; 1024];
            while matches!(stream.read(&mut read).await, Ok(1..)) {}
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn lines<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_reached_again_while_a_crowd_wants_every_file_and_the_log_has_a_line_a_minute() {
    // So that the files are what bounds connections, and not the address that all of them come from.
    let variables = [("ROOMWIRE_MAX_CONNECTIONS", "1000"), ("ROOMWIRE_TRUSTED_PROXIES", "127.0.0.1/32")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let plan = Plan {
        clients: CLIENTS,
        variables_of_last: variables.into(),
        open_files_of_last: Some(OPEN_FILES),
        ..Plan::default()
    };
    let mut fixture = Fixture::set(NODE, plan).await;
    let (before, from, begin) = (fixture.crowd.memberships(), fixture.ledger.len(), Instant::now());
    let node = fixture.node(NODE_WITH_FEW);
    let start = lines(&node.log(), "too few files for maxConnections").join("\n");
    assert!(
        start.contains(" WARN ")
            && [format!("open_files={OPEN_FILES}"), format!("clients={CLIENTS_THAT_FIT}"), "needed=3536".to_owned()]
                .iter()
                .all(|number| start.contains(number)),
        "{start}"
    );

    let address = node.address();
    let mut crowd = JoinSet::new();
    for number in 0..CONNECTS {
        crowd.spawn(wants_in(address, number % 2 == 0));
    }
    eventually("connections are refused", Duration::from_secs(30), async || {
        (!lines(&fixture.node(NODE_WITH_FEW).log(), "are kept for Redis and the app").is_empty()).then_some(())
    })
    .await;
    fixture.assert_messages_flow(Duration::from_secs(5)).await;

    for round in 0..3 {
        let since = fixture.ledger.len();
        fixture.redis().save().await;
        fixture.redis_mut().kill();
        sleep(Duration::from_secs(3)).await;
        fixture.redis_mut().start_again().await;
        let back = Instant::now();
        let is_back = |entries: &[roomwire_chaos::Entry]| {
            let of_node = |what: &Happening| {
                entries.iter().any(|entry| entry.node == format!("node-{NODE_WITH_FEW}") && entry.what == *what)
            };
            of_node(&Happening::StateRecovered) && of_node(&Happening::Gap)
        };
        let reached = fixture.ledger.until("Redis is reached again", since, REACHED, is_back).await;
        // What is sent until every node hears the others again is lost, which each tells as a gap.
        let flow = fixture.remote_messages_flow(back, Duration::from_secs(10)).await;
        println!(
            "round {round}: Redis is reached {:.2?} after its start, messages flow after {flow:.2?}",
            reached - back
        );
        fixture.converged(back, Duration::from_secs(15)).await;
        fixture.assert_messages_flow(Duration::from_secs(5)).await;
        assert_eq!(fixture.crowd.disconnects(), 0, "served clients stay");
    }
    fixture.assert_ledger(from, &before);

    let log = fixture.node(NODE_WITH_FEW).log();
    let minutes = begin.elapsed().div_duration_f64(MINUTE).ceil() as usize;
    let refused = lines(&log, "are kept for Redis and the app");
    assert!(refused.len() <= minutes, "{refused:#?}");
    let failed = lines(&log, "connections cannot be accepted");
    assert!(failed.is_empty(), "a file is left for each connection that is refused: {failed:#?}");
    crowd.shutdown().await;
    eventually("a newcomer is let in", Duration::from_secs(10), async || {
        fixture.try_newcomer(NODE_WITH_FEW).await.ok()
    })
    .await;
    // Sessions of the crowd end within the time of a handshake.
    let fit = CLIENTS_THAT_FIT - CLIENTS / 3;
    let mut served = 0;
    eventually(&format!("{fit} of {NEWCOMERS} newcomers are served"), Duration::from_secs(30), async || {
        let newcomers = join_all((0..NEWCOMERS).map(|_| fixture.try_newcomer(NODE_WITH_FEW))).await;
        served = newcomers.iter().filter(|newcomer| newcomer.is_ok()).count();
        (served >= fit).then_some(())
    })
    .await;
    println!("{served} of {NEWCOMERS} newcomers are served");
    assert_eq!(served, fit, "each of these has its files");
}
