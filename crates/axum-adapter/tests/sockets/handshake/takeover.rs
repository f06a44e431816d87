//! A session cannot be reached without its secret id.

use roomwire_service::{Data, Error, Gateway};

use super::{OPEN, UNKNOWN, UPGRADE, ask};
use crate::support::{Departures, Fixture, Http, Polling, WebSocket, config};

async fn echo(Data(said): Data<String>) -> Result<String, Error> {
    Ok(said)
}

/// All that an attacker may try with what it knows of a session.
async fn tries(fixture: &Fixture, known: &str) {
    let target = format!("{OPEN}&sid={known}");
    let socket = format!("/socket.io/?EIO=4&transport=websocket&sid={known}");
    for origin in ["", "origin: https://evil.example\r\n", "origin: null\r\n"] {
        let expected = if origin.is_empty() { (400, UNKNOWN) } else { (403, "FORBIDDEN") };
        for (method, target, headers, body) in [
            ("POST", &target, String::new(), r#"42["echo","stolen"]"#),
            ("POST", &target, String::new(), "1"),
            ("GET", &target, String::new(), ""),
            ("GET", &socket, UPGRADE.to_owned(), ""),
        ] {
            let answer = ask(fixture.address, method, target, &format!("{origin}{headers}"), body).await;
            assert_eq!(answer.status, expected.0, "{method} {target} {origin}: {answer:?}");
            assert!(answer.body.contains(expected.1), "{method} {target} {origin}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_session_is_not_reached_by_its_public_id_nor_by_a_guess_and_its_client_notices_nothing() {
    let (gateway, mut departures) = Departures::of(Gateway::new().on("echo", echo));
    let fixture = Fixture::new(config(), gateway).await;
    let mut polling = Polling::connect(fixture.address).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    fixture.holds(2).await;
    let other = Polling::open(fixture.address).await;
    for round in 0..10 {
        // The victim waits for messages meanwhile.
        polling.begin_poll().await;
        for known in [
            polling.id.clone(),
            socket.id.clone(),
            format!("{}&sid={}", polling.id, other.session),
            polling.session[..polling.session.len() - 1].to_owned(),
            format!("{}A", polling.session),
            polling.session.to_ascii_lowercase(),
            "AAAAAAAAAAAAAAAAAAAA".to_owned(),
        ] {
            tries(&fixture, &known).await;
        }
        assert_eq!(polling.post(&format!(r#"42{round}["echo","mine"]"#)).await.status, 200);
        let packets = polling.polled().await.expect("an answer").body;
        assert_eq!(packets, format!(r#"43{round}["mine"]"#));
        assert_eq!(socket.ask_for(round, r#"["echo","mine"]"#).await, r#"["mine"]"#);
    }
    assert!(departures.is_empty());
    assert_eq!(fixture.service.local_client_count(), 2);
}

#[tokio::test]
async fn a_session_of_another_process_or_one_that_has_ended_is_as_unknown_as_one_that_never_was() {
    let (here, there) = (Fixture::new(config(), Gateway::new()).await, Fixture::new(config(), Gateway::new()).await);
    let mut polling = Polling::connect(here.address).await;
    let target = format!("{OPEN}&sid={}", polling.session);
    let elsewhere = Http::once(there.address, "POST", &target, "1").await;
    assert_eq!((elsewhere.status, &*elsewhere.body), (400, UNKNOWN));
    assert_eq!(polling.post("1").await.status, 200);
    here.empty().await;
    let over = Http::once(here.address, "GET", &target, "").await;
    assert_eq!((over.status, &*over.body), (400, UNKNOWN));
}
