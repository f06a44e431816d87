//! Too often.

use std::{net::SocketAddr, time::Duration};

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

/// Connects from one address and hangs up, a thousand times, as fast as can be: how many got in, and how many were
/// refused with the code and the time to wait.
async fn reconnect(server: SocketAddr) -> (usize, usize) {
    let from = fresh();
    let (mut came, mut refused) = (0, 0);
    for _ in 0..1000 {
        match WebSocket::open_from(from, server).await {
            Ok(client) => {
                came += 1;
                client.joined("40").await.expect("is let in").reset();
            }
            Err(Some(answer)) if answer.status == 429 => {
                assert!(answer.body.contains(r#""code":"RATE_LIMITED""#), "{answer:?}");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    (came, refused)
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
    sleep(Duration::from_secs(2)).await;
    let of_joins = without_crowd(calls.take());

    let some = stage.attack(flood(server, 20, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 2,000 events: {some:?}");
    assert!(some.limited > 1000 && some.done >= 200, "{some:?}");
    let many = stage.attack(flood(server, 100, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 10,000 events: {many:?}");
    assert!(many.disconnected && many.done < 1000, "{many:?}");
    let metrics = stage.server.metrics().await;
    let gone = metrics.get(r#"roomwire_clients_disconnected_total{reason="too many requests"}"#);
    assert!(gone.is_some_and(|gone| *gone >= 1.0), "{metrics:?}");
    let of_events = without_crowd(calls.take());

    let began = Instant::now();
    let (came, refused) = stage.attack(reconnect(server)).await;
    println!("rates: 1,000 reconnects in {:.1?}: {came} came, {refused} were refused", began.elapsed());
    assert!(came + refused == 1000 && came < 30, "{came} came, {refused} were refused");
    let refusal = Http::connect(server).await.ask("GET", "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(refusal.status, 200, "another address is served: {refusal:?}");
    sleep(Duration::from_secs(2)).await;
    let of_reconnects = without_crowd(calls.take());

    for (what, calls) in [("joins", of_joins), ("events", of_events), ("reconnects", of_reconnects)] {
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
