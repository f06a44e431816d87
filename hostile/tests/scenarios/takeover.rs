//! Sessions of others.

use std::{net::SocketAddr, time::Duration};

use roomwire_hostile::{Fixture, Http, Polling, Settings, WebSocket, connect_from, fresh};
use tokio::time::Instant;

/// How long the attackers go on.
const GOES_ON: Duration = Duration::from_secs(6);
/// How many tries there are at least: several members of the crowd, each in every way.
const LEAST: usize = 1000;
const OPEN: &str = "/socket.io/?EIO=4&transport=polling&sid=";

/// What an attacker with a client's public id may try instead of the session's secrets.
fn guesses(id: &str, own: &str) -> Vec<String> {
    let mut guesses = vec![
        id.to_owned(),
        format!("{id}."),
        format!("{id}{own}"),
        format!("{own}{id}"),
        id.chars().rev().collect(),
        id.to_ascii_lowercase(),
        id[..id.len() - 1].to_owned(),
        format!("{own}&sid={id}"),
        format!("{id}&sid={own}"),
        format!("%{:02x}{}", id.as_bytes()[0], &id[1..]),
        format!("{id}%00"),
        format!("{id}#"),
        own.chars().rev().collect(),
    ];
    guesses.extend((0..4).map(|_| format!("{:016x}", rand::random::<u64>())));
    guesses
}

/// Tries each way into the session of a client; how many tries there were.
async fn try_all(server: SocketAddr, id: &str, own: &str) -> usize {
    let mut tries = 0;
    for guess in guesses(id, own) {
        for headers in ["", "origin: https://evil.example\r\n"] {
            let mut http = Http::connect(server).await;
            // An event, and the packet that ends a session.
            for body in [r#"42["say",{"room":"crowd-0","from":0,"number":9,"at":0,"phase":1}]"#, "41", "1"] {
                let answer = http.ask_with("POST", &format!("{OPEN}{guess}"), headers, body).await;
                assert!(matches!(answer.status, 400 | 403), "POST {guess}: {answer:?}");
                if answer.header("connection") == Some("close") {
                    http = Http::connect(server).await;
                }
            }
            let mut http = Http::connect(server).await;
            let answer = http.ask_with("GET", &format!("{OPEN}{guess}"), headers, "").await;
            assert!(matches!(answer.status, 400 | 403), "GET {guess}: {answer:?}");
            let stream = connect_from(fresh(), server).await.expect("connects");
            if let Ok(mut socket) = WebSocket::ask(stream, &format!("&sid={guess}"), headers).await {
                socket.send("2probe").await;
                assert_eq!(socket.next().await, None, "upgrade {guess}");
            }
            tries += 5;
        }
    }
    tries
}

#[tokio::test]
async fn no_session_is_taken_over_with_a_known_or_guessed_id_and_its_client_is_undisturbed() {
    let fixture = Fixture::set(crate::SERVER, "takeover", Settings::default()).await;
    let server = fixture.address();
    // Those that speak by requests come first: theirs are the sessions that others could post to.
    let victims = fixture.ids().to_vec();
    assert_eq!(victims.len(), 100);
    let tries = fixture
        .attack(async move {
            let own = Polling::connect(server).await.session;
            let (began, mut tries) = (Instant::now(), 0);
            for victim in victims.iter().cycle() {
                tries += try_all(server, victim, &own).await;
                if began.elapsed() > GOES_ON && tries >= LEAST {
                    break;
                }
            }
            tries
        })
        .await;
    println!("takeover: {tries} tries");
    fixture.verdict().await;
}
