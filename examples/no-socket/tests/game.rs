//! The game, played in memory.

use std::{error::Error, sync::Arc};

use example_no_socket::{Found, Secret, game};
use roomwire_service::{ErrorCode, WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_memory::MemoryState;
use serde_json::json;

async fn table_for_two() -> Result<TestServer, Box<dyn Error>> {
    let service = WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new()).build().await?;
    Ok(TestServer::new(service, game(Secret(Arc::new(7))))?)
}

#[tokio::test]
async fn every_player_at_the_table_gets_the_winner() -> Result<(), Box<dyn Error>> {
    let server = table_for_two().await?;
    let (mut ada, mut bob) = (server.connect().await?, server.connect().await?);
    ada.emit_with_ack::<()>("sit", &"green").await?;
    bob.emit_with_ack::<()>("sit", &"green").await?;

    let hint: String = ada.emit_with_ack("guess", &json!({ "table": "green", "number": 5 })).await?;
    assert_eq!(hint, "higher");
    let hint: String = ada.emit_with_ack("guess", &json!({ "table": "green", "number": 7 })).await?;
    assert_eq!(hint, "found");

    let winner = ada.id().to_string();
    for player in [&mut ada, &mut bob] {
        let found: Found = player.expect("found").await;
        assert_eq!(found.winner, winner);
    }
    Ok(())
}

#[tokio::test]
async fn a_player_that_is_not_seated_may_not_guess() -> Result<(), Box<dyn Error>> {
    let server = table_for_two().await?;
    let ada = server.connect().await?;
    let refused = ada.emit_with_ack::<String>("guess", &json!({ "table": "green", "number": 5 })).await;
    assert_eq!(refused.expect_err("refused").code(), ErrorCode::Application("NOT_AT_TABLE"));
    Ok(())
}
