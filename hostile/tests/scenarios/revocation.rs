//! Access that is taken back.

use std::{net::SocketAddr, time::Duration};

use roomwire_hostile::{Fixture, Server, Settings, WebSocket, eventually, within};
use roomwire_test_servers::RedisServer;
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

/// In which all clients of a user must be gone, on every node.
const MOST: Duration = Duration::from_secs(1);
/// How long they go on.
const GOES_ON: Duration = Duration::from_secs(3);
const CLIENTS: usize = 20;

async fn connect(server: SocketAddr) -> Result<WebSocket, String> {
    let auth = json!({ "user": "mallory", "until": 4_000_000_000_000_u64 });
    WebSocket::open(server).await.joined(&format!("40{auth}")).await
}

#[tokio::test]
async fn a_revoked_user_is_disconnected_on_every_node_in_a_second_and_stays_out() {
    let redis = RedisServer::start().await;
    let settings = Settings::default().with("ROOMWIRE_STATE__URLS", redis.url());
    let fixture = Fixture::set(crate::SERVER, "revocation", settings.clone()).await;
    let other = Server::start(crate::SERVER, &settings).await;
    let nodes = [fixture.address(), other.address];
    let (mut clients, crowd) = (Vec::new(), Duration::from_secs(5));
    for nth in 0..CLIENTS {
        clients.push(connect(nodes[nth % 2]).await.expect("is let in"));
    }
    eventually("all take part", crowd, async || (other.counts().await.clients == CLIENTS / 2).then_some(())).await;
    let slowest = fixture
        .meanwhile(async {
            let began = Instant::now();
            let mut gone = JoinSet::new();
            for mut client in clients {
                gone.spawn(async move {
                    while within("it is out", client.next()).await.is_some_and(|packet| packet != "41") {}
                    began.elapsed()
                });
            }
            let () = fixture.server.ask("revoke", &"mallory").await;
            let slowest = gone.join_all().await.into_iter().max().unwrap_or_default();
            for node in nodes {
                let refused = connect(node).await.expect_err("stays out");
                assert!(refused.starts_with("44{"), "{refused}");
            }
            // The disconnected ones try to come back for a while.
            while began.elapsed() < GOES_ON {
                connect(nodes[0]).await.expect_err("stays out");
            }
            slowest
        })
        .await;
    println!("revocation: the last of {CLIENTS} clients on two nodes was out after {slowest:.1?}");
    assert!(slowest <= MOST, "{slowest:?}");
    let metrics = other.metrics().await;
    let revoked = metrics.get(r#"roomwire_clients_disconnected_total{reason="access revoked"}"#);
    assert_eq!(revoked, Some(&((CLIENTS / 2) as f64)), "{metrics:?}");
    fixture.verdict().await;
}
