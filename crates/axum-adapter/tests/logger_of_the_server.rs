//! A server whose app has no subscriber installs one, at the configured level.

use axum::Router;
use roomwire_axum_adapter::{Server, init_logging};
use roomwire_core::config::LogLevel;
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use tracing::{Level, enabled};

#[tokio::test]
async fn a_server_installs_a_subscriber_when_the_app_has_none() {
    if std::env::var_os("RUST_LOG").is_some() {
        return; // It replaces the levels that are looked at here.
    }
    assert!(!enabled!(target: "my_app", Level::ERROR), "there is no subscriber yet");
    let mut config = WebSocketConfig { port: 0, ..WebSocketConfig::default() };
    config.logger.level = LogLevel::Info;
    let service = WebSocketService::builder(config.clone()).state(MemoryState::new()).build().await.expect("builds");
    let _server = Server::bind(Router::new(), service.clone(), Gateway::new()).await.expect("binds");
    assert!(enabled!(target: "my_app", Level::INFO), "the app's own lines show at logger.level");
    assert!(!enabled!(target: "my_app", Level::DEBUG));
    assert!(enabled!(target: "roomwire", Level::INFO));
    assert!(!init_logging(&config), "there is one already");

    config.debug = true;
    service.reload(config.clone()).await.expect("reloads");
    assert!(enabled!(target: "my_app", Level::DEBUG));
    config.debug = false;
    config.logger.level = LogLevel::Error;
    service.reload(config).await.expect("reloads");
    assert!(!enabled!(target: "my_app", Level::WARN) && enabled!(target: "my_app", Level::ERROR));
}
