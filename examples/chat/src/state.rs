//! The state backend of the chat.

use roomwire_service::{WebSocketConfig, WebSocketService, WebSocketServiceBuilder};
use roomwire_state_memory::MemoryState;
use roomwire_state_redis::{ConnectError, RedisConfig, RedisState};

/// In Redis when `state.urls` names one: all processes that share it are one chat. In this process otherwise.
pub(crate) async fn choose(config: WebSocketConfig) -> Result<WebSocketServiceBuilder, ConnectError> {
    let redis = RedisConfig::from_service(&config);
    let in_redis = !config.state.urls.is_empty();
    let builder = WebSocketService::builder(config);
    Ok(if in_redis { builder.state(RedisState::connect(&redis).await?) } else { builder.state(MemoryState::new()) })
}
