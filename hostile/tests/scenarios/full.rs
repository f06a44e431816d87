//! As many clients as there may be.

use std::{net::SocketAddr, time::Duration};

use roomwire_hostile::{Fixture, Http, Polling, Settings, WebSocket, eventually, fresh, within};
use tokio::task::JoinSet;

const REFUSED: &str = r#""code":"MAX_CONNECTIONS""#;
const TARGET: &str = "/socket.io/?EIO=4&transport=polling";
/// The crowd, and a few more.
const PLACES: usize = 103;
const ROUNDS: usize = 10_000;

enum Last {
    Websocket(WebSocket),
    Polling(Polling),
}

/// Takes the last place, which a client just left or is about to.
async fn take(server: SocketAddr, by_websocket: bool) -> Last {
    within("the last place is free", async {
        loop {
            if by_websocket {
                if let Ok(client) = WebSocket::connect_from(fresh(), server).await {
                    return Last::Websocket(client);
                }
            } else if let Ok(client) = Polling::open_from(fresh(), server).await {
                return Last::Polling(client);
            }
        }
    })
    .await
}

/// All places are taken and left by clients of both kinds, with and without a clean close.
async fn rounds(server: SocketAddr) {
    for round in 0..ROUNDS {
        let last = take(server, round % 2 == 0).await;
        // One in a hundred of those that are refused is enough to know; each costs a connection.
        if round % 4 == 0 {
            let refused = Http::connect(server).await.ask("GET", TARGET, "").await;
            assert!(refused.status == 503 && refused.body.contains(REFUSED), "round {round}: {refused:?}");
        }
        match last {
            Last::Websocket(client) if round % 4 == 0 => client.close().await,
            Last::Websocket(client) => client.reset(),
            Last::Polling(mut client) => {
                assert_eq!(client.post("40").await.status, 200, "round {round}");
                // A session that says goodbye before it is connected keeps its place for limits.handshakeTimeout.
                let connected = client.poll().await.unwrap_or_default();
                assert!(connected.iter().any(|packet| packet.starts_with("40{")), "round {round}: {connected:?}");
                assert_eq!(client.post("1").await.status, 200, "round {round}");
            }
        }
    }
}

#[tokio::test]
async fn when_one_leaves_a_full_server_the_next_gets_in_and_counts_are_exact_after_ten_thousand_rounds() {
    let settings = Settings::default().with("ROOMWIRE_MAX_CONNECTIONS", PLACES.to_string());
    let fixture = Fixture::without_newcomers(crate::SERVER, "full", settings).await;
    let server = fixture.address();
    let held = fixture
        .attack(async move {
            // They stay, and answer pings.
            let mut held = JoinSet::new();
            for _ in 0..2 {
                let mut client = WebSocket::connect(server).await;
                held.spawn(async move { drop(client.rest().await) });
            }
            rounds(server).await;
            held
        })
        .await;
    let settled = Duration::from_secs(10);
    let clients = PLACES - 1;
    eventually("all places but one are taken", settled, async || {
        (fixture.server.counts().await.clients == clients).then_some(())
    })
    .await;
    let metrics = fixture.server.metrics().await;
    assert_eq!(metrics.get("roomwire_clients"), Some(&(clients as f64)), "{metrics:?}");
    let connected = metrics.get("roomwire_clients_connected_total").copied().unwrap_or_default();
    let disconnected: f64 = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("roomwire_clients_disconnected_total"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(connected - disconnected, clients as f64, "{metrics:?}");
    // A client that is gone at the moment of its admission counts neither as connected nor as disconnected.
    assert!(connected >= (ROUNDS * 99 / 100 + clients) as f64, "{connected}");
    drop(held);
    // Exactly as many get in as left.
    let mut in_again = Vec::new();
    for _ in 0..3 {
        in_again.push(take(server, true).await);
    }
    let refused = Http::connect(server).await.ask("GET", TARGET, "").await;
    assert!(refused.status == 503 && refused.body.contains(REFUSED), "{refused:?}");
    drop(in_again);
    fixture.settles().await;
    fixture.verdict().await;
}
