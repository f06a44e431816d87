//! Clients that stop reading.

use std::time::Duration;

use roomwire_hostile::{Fixture, Memory, Settings, WebSocket, eventually};
use serde_json::json;
use tokio::time::Instant;

/// The time in which a client that does not read must be gone.
const MOST: Duration = Duration::from_secs(15);
/// By how much the server's memory may grow.
const GROWTH: u64 = 16_000_000;
/// 20 MB in all.
const MESSAGES: usize = 2000;
const BYTES: usize = 10_000;

#[tokio::test]
async fn a_client_that_stops_reading_is_disconnected_in_time_as_a_slow_consumer_and_the_memory_is_bounded() {
    let fixture = Fixture::set(crate::SERVER, "slow consumer", Settings::default()).await;
    let server = fixture.address();
    let memory = Memory::watch(fixture.server.pid());
    let sleepers = fixture
        .attack(async move {
            let mut sleepers = [
                WebSocket::connect(server).await,
                WebSocket::open_narrow(server).await.joined("40").await.expect("is let in"),
            ];
            for sleeper in &mut sleepers {
                assert_eq!(sleeper.ask_for(1, r#"["join","films"]"#).await.as_deref(), Some("[null]"));
            }
            // And one that reads all of it.
            let mut reader = WebSocket::connect(server).await;
            assert_eq!(reader.ask_for(1, r#"["join","films"]"#).await.as_deref(), Some("[null]"));
            let reads = tokio::spawn(async move {
                for _ in 0..MESSAGES {
                    let film = reader.next().await.expect("a reader keeps its connection");
                    assert!(film.starts_with(r#"42["film","#) && film.len() > BYTES);
                }
            });
            (sleepers, reads)
        })
        .await;
    let (sleepers, reads) = sleepers;
    let began = Instant::now();
    let (elapsed, ()) = tokio::join!(
        async {
            eventually("who does not read is gone", MOST, async || {
                let members: Vec<String> = fixture.server.ask("members", &"films").await;
                (!sleepers.iter().any(|sleeper| members.contains(&sleeper.id))).then_some(())
            })
            .await;
            began.elapsed()
        },
        fixture.meanwhile(async {
            let sent: usize = fixture.server.ask("broadcast", &json!(["films", "film", MESSAGES, BYTES])).await;
            assert_eq!(sent, MESSAGES * BYTES);
        }),
    );
    reads.await.expect("who reads loses nothing");
    let growth = memory.growth();
    println!("slow consumer: gone after {elapsed:.1?}, memory grew by {} kB", growth / 1000);
    let metrics = fixture.server.metrics().await;
    let slow = metrics.get(r#"roomwire_clients_disconnected_total{reason="slow consumer"}"#);
    assert_eq!(slow, Some(&2.0), "{metrics:?}");
    assert!(growth <= GROWTH, "memory grew by {growth} bytes");
    drop(sleepers);
    fixture.settles().await;
    fixture.verdict().await;
}
