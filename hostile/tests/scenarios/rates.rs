//! Too often: events and reconnects beyond their rates are refused, and so bounded is what they cost Redis.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use roomwire_core::config::Limits;
use roomwire_hostile::{Call, Fixture, Http, RedisCalls, Settings, WebSocket, fresh, most_in_a_second, within};
use roomwire_test_servers::RedisServer;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// What an admitted event costs Redis at most: a join, the subscription of a room that is new to the node, and the end
/// of it. A connection costs less: a record that comes and goes.
const CALLS_EACH: usize = 3;

/// Those that the chat of the crowd does not cost.
fn without_crowd(mut calls: Vec<Call>) -> Vec<Call> {
    calls.retain(|call| !call.text.contains("crowd-"));
    calls
}

/// The calls since the last time, until the attackers' rooms are given up too.
async fn until_it_is_over(calls: &RedisCalls) -> Vec<Call> {
    let mut all = Vec::new();
    loop {
        sleep(Duration::from_secs(2)).await;
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

#[tokio::test]
async fn joins_events_and_reconnects_beyond_their_rates_are_refused_with_codes_and_cost_redis_no_more() {
    let redis = RedisServer::start().await;
    let settings = Settings::default().with("ROOMWIRE_STATE__URLS", redis.url());
    let fixture = Fixture::without_newcomers(crate::SERVER, "rates", settings).await;
    let server = fixture.address();
    // A node sends a script whole when it first needs it, and opens its connections when it first needs several: no
    // client can make it do so twice.
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

    let limits = Limits::default();
    let joins = fixture.attack(flood(server, 200, |nth| format!(r#"["join","flood-{nth}"]"#))).await;
    println!("rates: 20,000 joins: {joins:?}");
    assert!(joins.disconnected && joins.done <= limits.rooms_per_client, "{joins:?}");
    let of_joins = until_it_is_over(&calls).await;

    let burst = limits.event_burst as usize;
    let some = fixture.attack(flood(server, 30, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 3,000 events: {some:?}");
    assert!(some.limited > 1000 && some.done >= burst, "{some:?}");
    let many = fixture.attack(flood(server, 200, |_| r#"["size",1]"#.to_owned())).await;
    println!("rates: 20,000 events: {many:?}");
    assert!(many.disconnected && many.done < burst * 3, "{many:?}");
    let metrics = fixture.server.metrics().await;
    let gone = metrics.get(r#"roomwire_clients_disconnected_total{reason="too many requests"}"#);
    assert!(gone.is_some_and(|gone| *gone >= 1.0), "{metrics:?}");
    let of_events = until_it_is_over(&calls).await;

    let began = Instant::now();
    let times = fixture.attack(reconnect(server)).await;
    println!("rates: 1,000 reconnects in {:.1?}: {times} came in", began.elapsed());
    let most = limits.reconnect_burst as usize
        + limits.reconnects_per_second as usize * (began.elapsed().as_secs() as usize + 1);
    assert!((limits.reconnect_burst as usize..=most).contains(&times), "{times} came in, {most} may");
    let refusal = Http::connect(server).await.ask("GET", "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(refusal.status, 200, "another address is served: {refusal:?}");
    let of_reconnects = until_it_is_over(&calls).await;

    let events = (limits.event_burst + limits.events_per_second) as usize;
    let reconnects = (limits.reconnect_burst + limits.reconnects_per_second) as usize;
    for (what, calls, most) in
        [("joins", of_joins, events), ("events", of_events, 0), ("reconnects", of_reconnects, reconnects)]
    {
        // One connection more carries the events, and one is the stranger's.
        let most = (most + 2) * CALLS_EACH + usual;
        let seen = most_in_a_second(&calls);
        println!("rates: {what}: {seen} calls of Redis in a second, {usual} of them as without; {most} may be");
        assert!(seen <= most, "{what}: {seen} calls of Redis in a second, {most} may be");
    }
    fixture.settles().await;
    fixture.verdict().await;
}
