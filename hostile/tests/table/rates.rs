//! Too often.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use roomwire_hostile::{Call, Http, RedisCalls, Settings, Stage, WebSocket, fresh, most_in_a_second, within};
use roomwire_test_servers::RedisServer;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// How many calls of Redis one client may cost in a second.
const CALLS: usize = 10;

/// In how many rooms one client may be.
const ROOMS: usize = 100;

/// Those that the chat of the crowd does not cost.
fn without_crowd(mut calls: Vec<Call>) -> Vec<Call> {
    calls.retain(|call| !call.text.contains("crowd-"));
    calls
}

/// The calls since the last time, until the rooms that the attackers left have been given up too.
async fn until_it_is_over(calls: &RedisCalls) -> Vec<Call> {
    let mut all = Vec::new();
    loop {
        // A join that waits, the time that a room lingers, and a turn.
        sleep(Duration::from_secs(5)).await;
        let new = without_crowd(calls.take());
        let is_over = !new.iter().any(|call| call.text.contains("SUNSUBSCRIBE"));
        all.extend(new);
        if is_over {
            return all;
        }
    }
}

/// What became of many events of one client.
#[derive(Debug, Default)]
struct Outcome {
    done: usize,
    limited: usize,
    bounded: usize,
    disconnected: bool,
}

/// Sends so many hundred events at once, if it can, and reads what becomes of each.
async fn flood(server: SocketAddr, hundreds: usize, event: impl Fn(usize) -> String) -> Outcome {
    let mut client = WebSocket::connect(server).await;
    for batch in 0..hundreds {
        let frames: Vec<u8> = (0..100)
            .flat_map(|nth| {
                let nth = batch * 100 + nth;
                roomwire_hostile::frame(&format!("42{nth}{}", event(nth)))
            })
            .collect();
        if !client.try_write(&frames).await {
            break;
        }
    }
    let mut outcome = Outcome::default();
    while outcome.done + outcome.limited + outcome.bounded < hundreds * 100 {
        let Some(packet) = within("an answer to each event", client.next()).await else {
            outcome.disconnected = true;
            break;
        };
        let Some(answer) = packet.strip_prefix("43").and_then(|rest| rest.find('[').map(|at| &rest[at..])) else {
            continue;
        };
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        match answer[0]["error"]["code"].as_str() {
            None => outcome.done += 1,
            Some("RATE_LIMITED") => {
                assert!(answer[0]["error"]["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0), "{answer}");
                outcome.limited += 1;
            }
            Some("LIMIT_EXCEEDED") => outcome.bounded += 1,
            Some(other) => panic!("{other}: {answer}"),
        }
    }
    outcome
}

/// Whether a connection from this address got in; refused with the code and the time to wait otherwise.
async fn came(from: Ipv4Addr, server: SocketAddr) -> Option<WebSocket> {
    match WebSocket::open_from(from, server).await {
        Ok(client) => Some(client.joined("40").await.expect("is let in")),
        Err(Some(answer)) if answer.status == 429 => {
            assert!(answer.body.contains(r#""code":"RATE_LIMITED""#), "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            None
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Connects from one address and hangs up, a thousand times, as fast as can be: how often it got in.
async fn reconnect(server: SocketAddr) -> usize {
    let from = fresh();
    let mut times = 0;
    for _ in 0..1000 {
        if let Some(client) = came(from, server).await {
            times += 1;
            client.reset();
        }
    }
    times
}

/// As [`reconnect`] for some seconds, and joins so many new rooms each time: how often it got in.
async fn reconnect_and_join(server: SocketAddr, rooms: usize) -> usize {
    let (from, began) = (fresh(), Instant::now());
    let mut times = 0;
    while began.elapsed() < Duration::from_secs(5) {
        let Some(mut client) = came(from, server).await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        times += 1;
        for room in 0..rooms {
            client.send(&format!(r#"42{room}["join","room-{times}-{room}"]"#)).await;
        }
        for _ in 0..rooms {
            within("an answer to each join", client.next()).await;
        }
        client.reset();
    }
    times
}

#[tokio::test]
async fn who_joins_sends_or_reconnects_too_often_is_limited_with_codes_and_redis_hardly_notices() {
    let redis = RedisServer::start().await;
    let settings = Settings::default().with("ROOMWIRE_STATE__URLS", redis.url());
    let stage = Stage::without_newcomers(crate::SERVER, "rates", settings).await;
    let server = stage.address();
    // A node sends a script whole when it first needs it, and opens its connections when it first needs several: no client
    // can make it do so twice.
    let mut early = JoinSet::new();
    for _ in 0..20 {
        early.spawn(async move {
            let mut client = WebSocket::connect(server).await;
            client.ask_for(1, r#"["join","early"]"#).await.expect("joins");
            client.close().await;
        });
    }
    early.join_all().await;
    sleep(Duration::from_secs(3)).await;
    let calls = RedisCalls::listen(&redis).await;
    sleep(Duration::from_secs(6)).await;
    let usual = most_in_a_second(&without_crowd(calls.take()));

    // Joins wait their turn, and what comes after them waits too: the server reads no more of it, nor its pongs. Who goes
    // on all the same must go, sooner or later.
    let joins = stage.attack(flood(server, 100, |nth| format!(r#"["join","flood-{nth}"]"#))).await;
    println!("rates: 10,000 joins: {joins:?}");
    assert!(joins.disconnected && joins.done <= ROOMS, "{joins:?}");
    let of_joins = until_it_is_over(&calls).await;

    let some = stage.attack(flood(server, 20, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 2,000 events: {some:?}");
    assert!(some.limited > 1000 && some.done >= 200, "{some:?}");
    let many = stage.attack(flood(server, 100, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 10,000 events: {many:?}");
    assert!(many.disconnected && many.done < 1000, "{many:?}");
    let metrics = stage.server.metrics().await;
    let gone = metrics.get(r#"roomwire_clients_disconnected_total{reason="too many requests"}"#);
    assert!(gone.is_some_and(|gone| *gone >= 1.0), "{metrics:?}");
    let of_events = until_it_is_over(&calls).await;

    let began = Instant::now();
    let times = stage.attack(reconnect(server)).await;
    println!("rates: 1,000 reconnects in {:.1?}: {times} came in", began.elapsed());
    assert!((3..30).contains(&times), "{times} came in");
    let refusal = Http::connect(server).await.ask("GET", "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(refusal.status, 200, "another address is served: {refusal:?}");
    let of_reconnects = until_it_is_over(&calls).await;

    let mut all = vec![("joins", of_joins), ("events", of_events), ("reconnects", of_reconnects)];

    // An allowance that began anew with each connection would be worth as much as the first each time.
    for (what, rooms) in [("reconnects with a join", 1), ("reconnects with three", 3), ("reconnects with ten", 10)] {
        let times = stage.attack(reconnect_and_join(server, rooms)).await;
        println!("rates: {what}: {times} came in");
        assert!(times >= 2, "it was served: {times} came in");
        all.push((what, until_it_is_over(&calls).await));
    }

    for (what, calls) in all {
        let most = most_in_a_second(&calls);
        println!("rates: {what}: {most} calls of Redis in a second, {usual} of them as without");
        if most > CALLS + usual {
            calls.iter().for_each(|call| println!("{:?} {}", call.at, call.text.chars().take(120).collect::<String>()));
        }
        assert!(most <= CALLS + usual, "{what}: {most} calls of Redis in a second");
    }
    stage.settles().await;
    stage.verdict().await;
}
