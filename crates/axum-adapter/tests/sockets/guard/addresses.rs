//! What one address may have, as the layer counts it: also in servers of the app's own, and behind proxies.

use roomwire_service::{Gateway, WebSocketConfig};

use super::{OPEN, ask};
use crate::support::{Answer, Polling, Stage, config};

fn strict() -> WebSocketConfig {
    let mut config = config();
    config.limits.connections_per_address = 3;
    config.limits.reconnects_per_second = 1;
    config.limits.reconnect_burst = 4;
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    config
}

async fn open_as(stage: &Stage, address: &str) -> Answer {
    ask(stage.address, "GET", OPEN, &format!("x-forwarded-for: {address}\r\n"), "").await
}

/// Opens a session as a client of this address and says goodbye at once.
async fn come_and_go(stage: &Stage, address: &str) -> Answer {
    let opened = open_as(stage, address).await;
    if opened.status == 200 {
        let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
        let target = format!("{OPEN}&sid={}", open["sid"].as_str().expect("a session"));
        for packet in ["40", "1"] {
            assert_eq!(ask(stage.address, "POST", &target, "", packet).await.status, 200);
        }
    }
    opened
}

#[tokio::test]
async fn each_client_behind_a_listed_proxy_has_limits_of_its_own_and_ipv6_counts_by_its_64() {
    let stage = Stage::new(strict(), Gateway::new()).await;
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1"] {
        for _ in 0..3 {
            assert_eq!(open_as(&stage, address).await.status, 200, "{address}");
        }
    }
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:2:ffff::1", "203.0.113.9, 192.0.2.1"] {
        let refused = open_as(&stage, address).await;
        assert!(refused.status == 503 && refused.body.contains("MAX_CONNECTIONS"), "{address}: {refused:?}");
    }
    assert_eq!(open_as(&stage, "2001:db8:1:3::1").await.status, 200);
}

#[tokio::test]
async fn who_comes_and_goes_all_the_time_waits_and_nobody_else_does() {
    let stage = Stage::new(strict(), Gateway::new()).await;
    let mut refused = None;
    for _ in 0..8 {
        let answer = come_and_go(&stage, "192.0.2.1").await;
        // Its end is counted when the engine has forgotten it, a moment later.
        stage.empty().await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("four at once, and one a second");
    assert!(refused.status == 429 && refused.body.contains(r#""code":"RATE_LIMITED""#), "{refused:?}");
    assert!(refused.body.contains("retryAfterMs"), "{refused:?}");
    assert_eq!(open_as(&stage, "192.0.2.2").await.status, 200);
}

#[tokio::test]
async fn headers_of_an_unlisted_proxy_change_nothing_and_are_complained_of_once() {
    let log = crate::support::Log::capture();
    let stage = Stage::new(WebSocketConfig { trusted_proxies: Vec::new(), ..strict() }, Gateway::new()).await;
    let _held = [Polling::open(stage.address).await];
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        open_as(&stage, address).await;
    }
    let refused = open_as(&stage, "192.0.2.4").await;
    assert!(refused.status == 503 || refused.status == 429, "all of them are one address: {refused:?}");
    assert_eq!(log.lines_with(&["WARN", "trustedProxies"]), 1, "{}", log.text());
}

#[tokio::test]
async fn more_headers_and_larger_ones_than_allowed_are_refused_in_a_server_of_the_apps_own_too() {
    let stage = Stage::foreign(config(), Gateway::new()).await;
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(20_000));
    for headers in [many, large] {
        let answer = ask(stage.address, "GET", OPEN, &headers, "").await;
        assert!(answer.status == 431 && answer.body.contains("LIMIT_EXCEEDED"), "{answer:?}");
    }
}
