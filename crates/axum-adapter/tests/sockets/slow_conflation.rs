//! Values of which only the newest counts cost a client that is behind neither its connection nor the newest of them.

use std::{collections::BTreeMap, time::Duration};

use roomwire_service::{Client, Error, Gateway, WebSocketService};

use crate::support::{Departures, Fixture, Polling, WebSocket, config};

const ROOM: &str = "room";
const KEYS: usize = 50;
const VALUES: usize = 100_000;
/// After how many values the sender waits for the reader that keeps up.
const BATCH: usize = 100;

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, ROOM).await
}

async fn fixture() -> (Fixture, Departures) {
    let (gateway, departures) = Departures::of(Gateway::new().on_connect(enter));
    let mut config = config();
    // How long a client may take nothing is shown elsewhere, and is not to end this one on a busy machine.
    config.limits.write_timeout = Duration::from_secs(300);
    (Fixture::new(config, gateway).await, departures)
}

async fn cursor(fixture: &Fixture, number: usize) {
    let key = format!("cursor-{}", number % KEYS);
    let value = (number % KEYS, number, "x".repeat(150));
    fixture.service.broadcast_latest_to_room(ROOM, &key, "cursor", &value).await.expect("sent");
}

/// The key and the number of a value; nothing for the message that comes after all of them.
fn read(message: &str) -> Option<(usize, usize)> {
    let value = message.strip_prefix("42[\"cursor\",")?;
    let (key, number, _): (usize, usize, String) = serde_json::from_str(value.strip_suffix(']')?).expect("a value");
    Some((key, number))
}

/// Each key's values rise, and the last of each is the newest.
fn check(got: &[(usize, usize)]) {
    let mut newest = BTreeMap::new();
    for (key, number) in got {
        let before = newest.insert(*key, *number);
        assert!(before < Some(*number), "key {key}: {number} came after {before:?}");
    }
    assert_eq!(newest, (0..KEYS).map(|key| (key, VALUES - KEYS + key)).collect());
    assert!(got.len() < VALUES / 2, "{} of {VALUES}: nothing was conflated", got.len());
}

/// Sends all values; the reader gets each of them, in order, as fast as it reads.
async fn send_all(fixture: &Fixture, reader: &mut WebSocket) {
    for batch in (0..VALUES).step_by(BATCH) {
        for number in batch..batch + BATCH {
            cursor(fixture, number).await;
        }
        for number in batch..batch + BATCH {
            assert_eq!(read(&reader.message().await), Some((number % KEYS, number)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_stalls_stays_and_gets_the_newest_of_each_key_and_one_that_keeps_up_gets_all() {
    let (fixture, mut departures) = fixture().await;
    let mut slow = WebSocket::open_narrow(fixture.address).await.joined().await;
    let mut reader = WebSocket::connect(fixture.address).await;
    // They are in the room when `on_connect` has returned, which is before their events are handled.
    slow.ask_for(1, r#"["unknown"]"#).await;
    reader.ask_for(1, r#"["unknown"]"#).await;
    send_all(&fixture, &mut reader).await;
    // What every member must see waits behind the values that wait, and is not lost between them.
    fixture.service.broadcast_to_room(ROOM, "said", &"after").await.expect("sent");

    let mut got = Vec::new();
    while let Some(value) = read(&slow.message().await) {
        got.push(value);
    }
    check(&got);
    // It is behind no more: what is sent now comes at once, and comes as it is sent.
    for number in 0..BATCH {
        cursor(&fixture, number).await;
    }
    for number in 0..BATCH {
        assert_eq!(read(&slow.message().await), Some((number % KEYS, number)));
    }
    assert!(departures.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_does_not_poll_stays_and_gets_the_newest_of_each_key() {
    let (fixture, mut departures) = fixture().await;
    let mut slow = Polling::connect(fixture.address).await;
    let mut reader = WebSocket::connect(fixture.address).await;
    slow.post(r#"421["unknown"]"#).await;
    assert!(slow.poll().await[0].starts_with("431["));
    reader.ask_for(1, r#"["unknown"]"#).await;
    send_all(&fixture, &mut reader).await;
    fixture.service.broadcast_to_room(ROOM, "said", &"after").await.expect("sent");

    let mut got = Vec::new();
    'all: loop {
        for packet in slow.poll().await {
            match read(&packet) {
                Some(value) => got.push(value),
                None => break 'all,
            }
        }
    }
    check(&got);
    assert!(departures.is_empty());
}
