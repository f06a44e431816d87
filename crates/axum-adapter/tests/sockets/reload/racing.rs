//! Reloads while clients come, talk and go.

use roomwire_service::{ReloadError, WebSocketConfig};

use super::fixture;
use crate::support::{Log, WebSocket};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_nothing_while_the_configuration_changes_all_the_time() {
    let fixture = fixture(|_| {}).await;
    let service = fixture.service.clone();
    let reloading = tokio::spawn(async move {
        for round in 0.. {
            let mut new = (*service.config()).clone();
            new.limits.depth = 2 + round % 50;
            new.max_connections = 500 + u32::try_from(round % 500).expect("small");
            new.limits.payload = 2048 + round % 1000;
            if service.reload(new).await.is_err() || service.is_shutting_down() {
                return round;
            }
            tokio::task::yield_now().await;
        }
        0
    });
    let clients = (0..20).map(|_| {
        let address = fixture.address;
        tokio::spawn(async move {
            for _ in 0..10 {
                let mut client = WebSocket::connect(address).await;
                for ack in 0..20 {
                    assert_eq!(client.ask_for(ack, r#"["echo",[1]]"#).await, "[[1]]");
                }
                client.close().await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("nothing was lost");
    }
    assert!(!reloading.is_finished());
    fixture.empty().await;
    reloading.abort();
    fixture.stop().await;
}

#[tokio::test]
async fn an_invalid_configuration_changes_nothing_and_the_log_says_why() {
    let fixture = fixture(|_| {}).await;
    let log = Log::capture();
    let before = fixture.service.config();
    let mut new = WebSocketConfig { path: "nowhere/".to_owned(), ..(*before).clone() };
    new.limits.depth = 3;
    let error = fixture.service.reload(new).await.expect_err("refused");
    assert!(matches!(error, ReloadError::Config(_)));
    assert_eq!(fixture.service.config(), before);
    assert_eq!(log.lines_with(&["WARN", "the configuration stays as it is"]), 1, "{}", log.text());

    let error = fixture.service.reload_config().await.expect_err("nothing to read");
    assert!(matches!(error, ReloadError::NoOrigin), "{error}");
}

#[tokio::test]
async fn the_log_has_one_line_with_the_keys_that_changed_and_no_values() {
    let fixture = fixture(|_| {}).await;
    let log = Log::capture();
    let mut new = (*fixture.service.config()).clone();
    (new.limits.depth, new.port) = (17, 4);
    fixture.service.reload(new).await.expect("reloads");
    let line = r#"the configuration was reloaded applied="limits.depth" needs_restart="port""#;
    assert_eq!(log.lines_with(&["INFO", line]), 1, "{}", log.text());
    assert_eq!(fixture.service.config().port, 0, "it stays");
}
