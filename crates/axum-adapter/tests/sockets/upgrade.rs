//! A session moves from HTTP requests to a websocket, and nothing is lost on the way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use roomwire_service::{Data, DisconnectReason, Error, Gateway, State};

use crate::support::{Departures, Fixture, Frame, Polling, WebSocket, config, eventually};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u32>>>);

async fn hear(State(heard): State<Heard>, Data(number): Data<u32>) -> Result<(), Error> {
    tokio::task::yield_now().await;
    heard.0.lock().push(number);
    Ok(())
}

const MESSAGES: u32 = 400;

/// The upgrade as clients do it, with messages under way in both directions.
async fn moves(fixture: &Fixture, heard: &Heard) {
    heard.0.lock().clear();
    let mut polling = Polling::connect(fixture.address).await;
    fixture.holds(1).await;
    let (service, id) = (fixture.service.clone(), polling.id.clone());
    let talking = tokio::spawn(async move {
        for number in 0..MESSAGES {
            service.send_to_client(id.as_str(), "said", &number).await.expect("is here");
            tokio::task::yield_now().await;
        }
    });
    let mut received = Vec::new();
    let mut sent = 0..MESSAGES;
    let mut next = move || sent.next().map(|number| format!(r#"42["hear",{number}]"#));

    polling.begin_poll().await;
    let mut socket = WebSocket::ask(fixture.address, &format!("&sid={}", polling.session)).await.expect("begins");
    socket.send("2probe").await;
    for _ in 0..20 {
        assert_eq!(polling.post(&next().expect("more")).await.status, 200);
    }
    // What was asked for before the upgrade is answered, at last with nothing but a noop.
    loop {
        let answer = polling.polled().await.expect("an answer");
        assert_eq!(answer.status, 200);
        let is_last = answer.body == "6";
        received.extend(answer.body.split('\u{1e}').filter(|packet| packet.starts_with("42")).map(str::to_owned));
        if is_last {
            break;
        }
        polling.begin_poll().await;
    }
    assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
    assert_eq!(polling.post(&next().expect("more")).await.status, 200);
    // The end of the upgrade and the first events in one segment.
    let mut segment = crate::support::frame("5");
    for _ in 0..20 {
        segment.extend(crate::support::frame(&next().expect("more")));
    }
    socket.write(&segment).await;
    while let Some(event) = next() {
        socket.send(&event).await;
    }
    while received.len() < MESSAGES as usize {
        received.push(socket.message().await);
    }
    let expected: Vec<String> = (0..MESSAGES).map(|number| format!(r#"42["said",{number}]"#)).collect();
    assert_eq!(received, expected);
    eventually("all is heard", async || heard.0.lock().len() >= MESSAGES as usize).await;
    assert_eq!(*heard.0.lock(), (0..MESSAGES).collect::<Vec<_>>());
    talking.await.expect("talked");
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_reordered_while_a_session_moves_to_a_websocket() {
    let heard = Heard::default();
    let (gateway, mut departures) = Departures::of(Gateway::new().with_state(heard.clone()).on("hear", hear));
    let fixture = Fixture::new(config(), gateway).await;
    for _ in 0..50 {
        moves(&fixture, &heard).await;
        assert_eq!(departures.next().await.reason, DisconnectReason::ClientDisconnected);
        fixture.holds(0).await;
    }
    fixture.empty().await;
}

/// A request for a second websocket of a session is refused, and the server can still end the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_websocket_for_a_session_changes_nothing() {
    let (gateway, mut departures) = Departures::of(Gateway::new());
    let mut config = config();
    config.limits.send_buffer = 16;
    config.max_connections = 1;
    let fixture = Fixture::new(config, gateway).await;
    let polling = Polling::connect(fixture.address).await;
    let session = format!("&sid={}", polling.session);
    let mut socket = WebSocket::ask_narrow(fixture.address, &session).await.expect("begins");
    socket.send("2probe").await;
    assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
    socket.send("5").await;
    // Answered when the session has moved.
    assert!(socket.ask_for(1, r#"["nothing"]"#).await.contains("UNKNOWN_EVENT"));
    let mut second = WebSocket::ask(fixture.address, &session).await.expect("begins");
    second.send("2probe").await;
    second.closed_by_server().await;
    fixture.holds(1).await;

    fixture.service.broadcast("said", &"still here").await.expect("sent");
    assert_eq!(socket.message().await, r#"42["said","still here"]"#);
    let filler = "x".repeat(65_536);
    eventually("the client that does not read is disconnected", async || {
        fixture.service.broadcast("said", &filler).await.expect("sent");
        fixture.service.local_client_count() == 0
    })
    .await;
    assert_eq!(departures.reason_of(&polling.id).await, DisconnectReason::SlowConsumer);
    eventually("its connection is over", async || WebSocket::ask(fixture.address, "").await.is_ok()).await;
    socket.closed_by_server().await;
}

/// The client sends and receives over HTTP requests.
async fn talks_by_polling(fixture: &Fixture, heard: &Heard, polling: &mut Polling, number: u32) {
    assert_eq!(polling.post(&format!(r#"42["hear",{number}]"#)).await.status, 200);
    fixture.service.send_to_client(polling.id.as_str(), "said", &number).await.expect("is here");
    let said = format!(r#"42["said",{number}]"#);
    while !polling.poll().await.contains(&said) {}
    eventually("it is heard", async || heard.0.lock().last() == Some(&number)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_breaks_or_sends_no_probe_leaves_its_session_as_it_was() {
    let heard = Heard::default();
    let fixture = Fixture::new(config(), Gateway::new().with_state(heard.clone()).on("hear", hear)).await;
    let mut polling = Polling::connect(fixture.address).await;
    let query = format!("&sid={}", polling.session);
    for (round, frames) in [&[][..], &["2probe"], &["nonsense"], &["2probe", "nonsense"], &["5"]].iter().enumerate() {
        for resets in [true, false] {
            let mut socket = eventually_upgrades(&fixture, &query).await;
            for frame in *frames {
                socket.send(frame).await;
            }
            if frames.first() == Some(&"2probe") {
                assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
            }
            if resets {
                socket.reset();
            } else {
                socket.close().await;
            }
            talks_by_polling(&fixture, &heard, &mut polling, round as u32).await;
        }
    }
    let mut socket = eventually_upgrades(&fixture, &query).await;
    socket.send("2probe").await;
    assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
    socket.send("5").await;
    assert!(socket.ask_for(1, r#"["nothing"]"#).await.contains("UNKNOWN_EVENT"), "it can still move");
    socket.close().await;
    fixture.empty().await;
}

/// A websocket whose probe may begin: the one before has ended.
async fn eventually_upgrades(fixture: &Fixture, query: &str) -> WebSocket {
    // The end of a connection takes a moment to be noticed, and one websocket is probed at a time.
    tokio::time::sleep(Duration::from_millis(50)).await;
    WebSocket::ask(fixture.address, query).await.expect("begins")
}

/// A proxy accepted the websocket and lets no frame through in one direction or the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_websocket_carries_nothing_messages_go_over_http_requests_and_polls_do_not_spin() {
    let heard = Heard::default();
    let mut config = config();
    config.limits.handshake_timeout = Duration::from_secs(2);
    let fixture = Fixture::new(config, Gateway::new().with_state(heard.clone()).on("hear", hear)).await;
    for probes in [false, true] {
        let mut polling = Polling::connect(fixture.address).await;
        let mut socket = WebSocket::ask(fixture.address, &format!("&sid={}", polling.session)).await.expect("begins");
        if probes {
            socket.send("2probe").await;
        }
        let (began, mut number, mut polls) = (Instant::now(), 0, 0);
        while began.elapsed() < Duration::from_secs(1) {
            talks_by_polling(&fixture, &heard, &mut polling, number).await;
            number += 1;
            // A poll without a message.
            polling.begin_poll().await;
            let answer = tokio::time::timeout(Duration::from_millis(500), polling.polled()).await;
            polls += 1;
            if answer.is_err() {
                fixture.service.send_to_client(polling.id.as_str(), "said", &0).await.expect("is here");
                polling.polled().await.expect("an answer");
            }
        }
        assert!(polls <= 11, "{polls} polls without a message in a second");
        assert!(number >= 2);
        socket.closed_by_server().await;
        talks_by_polling(&fixture, &heard, &mut polling, number).await;
        assert_eq!(polling.post("1").await.status, 200);
        fixture.holds(0).await;
    }
    fixture.empty().await;
}
