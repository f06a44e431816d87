//! A server that is up says so once, with what an operator would ask for first.

use roomwire_core::config::{Limits, Transport};
use roomwire_service::{Gateway, WebSocketConfig};

use crate::support::{Fixture, Http, Log, defaults};

fn gateways() -> Vec<Gateway> {
    vec![Gateway::new(), Gateway::of("/admin")]
}

async fn line_of(config: WebSocketConfig, foreign: bool) -> (Fixture, String) {
    let log = Log::capture();
    let fixture =
        if foreign { Fixture::foreign(config, gateways()).await } else { Fixture::new(config, gateways()).await };
    assert_eq!(Http::once(fixture.address, "GET", "/hello", "").await.status, 200);
    let text = log.text();
    let mut lines = text.lines().filter(|line| line.contains(" INFO "));
    let line = lines.next().expect("a line at info").to_owned();
    assert_eq!(lines.next(), None);
    (fixture, line)
}

#[tokio::test]
async fn a_server_logs_address_path_transports_namespaces_state_and_limits_that_are_off() {
    let (fixture, line) = line_of(defaults(), false).await;
    for part in [
        format!("listening on http://{}/socket.io ", fixture.address).as_str(),
        r#"transports="websocket, polling""#,
        r#"namespaces="/, /admin""#,
        r#"state="memory""#,
        "node=",
        r#"authentication="off""#,
        r#"limits_off="none""#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[tokio::test]
async fn a_layer_in_the_apps_own_server_logs_the_same_without_an_address() {
    let mut config = WebSocketConfig { transports: vec![Transport::Polling], ..defaults() };
    config.limits = Limits { event_burst: 1_000_000, ..Limits::default() };
    let (_fixture, line) = line_of(config, true).await;
    for part in [
        "mounted at /socket.io ",
        r#"transports="polling""#,
        r#"namespaces="/, /admin""#,
        r#"state="memory""#,
        r#"limits_off="limits.eventBurst""#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("127.0.0.1"), "{line}");
}
