//! Limits by address, as the layer counts them: also in servers of the app's own, and behind proxies.

use roomwire_service::{Gateway, WebSocketConfig};

use super::{OPEN, ask};
use crate::support::{Answer, Fixture, Polling, config};

fn strict() -> WebSocketConfig {
    let mut config = config();
    config.limits.connections_per_address = Some(3);
    config.limits.reconnects_per_second = 1;
    config.limits.reconnect_burst = 4;
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    config
}

async fn open_as(fixture: &Fixture, address: &str) -> Answer {
    ask(fixture.address, "GET", OPEN, &format!("x-forwarded-for: {address}\r\n"), "").await
}

/// Opens a session as a client of this address and says goodbye at once.
async fn come_and_go(fixture: &Fixture, address: &str) -> Answer {
    let opened = open_as(fixture, address).await;
    if opened.status == 200 {
        let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
        let target = format!("{OPEN}&sid={}", open["sid"].as_str().expect("a session"));
        for packet in ["40", "1"] {
            assert_eq!(ask(fixture.address, "POST", &target, "", packet).await.status, 200);
        }
    }
    opened
}

#[tokio::test]
async fn each_client_behind_a_listed_proxy_has_limits_of_its_own_and_ipv6_counts_by_its_64() {
    let fixture = Fixture::new(strict(), Gateway::new()).await;
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1"] {
        for _ in 0..3 {
            assert_eq!(open_as(&fixture, address).await.status, 200, "{address}");
        }
    }
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:2:ffff::1", "203.0.113.9, 192.0.2.1"] {
        let refused = open_as(&fixture, address).await;
        assert!(refused.status == 503 && refused.body.contains("MAX_CONNECTIONS"), "{address}: {refused:?}");
    }
    assert_eq!(open_as(&fixture, "2001:db8:1:3::1").await.status, 200);
}

#[tokio::test]
async fn short_sessions_of_an_address_are_limited_and_other_addresses_are_not_affected() {
    let fixture = Fixture::new(strict(), Gateway::new()).await;
    let mut refused = None;
    for _ in 0..8 {
        let answer = come_and_go(&fixture, "192.0.2.1").await;
        // Its end is counted when the engine has forgotten it, a moment later.
        fixture.empty().await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("four at once, and one a second");
    assert!(refused.status == 429 && refused.body.contains(r#""code":"RATE_LIMITED""#), "{refused:?}");
    assert!(refused.body.contains("retryAfterMs"), "{refused:?}");
    assert_eq!(open_as(&fixture, "192.0.2.2").await.status, 200);
}

#[tokio::test]
async fn limits_by_address_do_not_apply_to_a_proxy_of_this_machine_that_is_not_listed_and_it_is_named_once() {
    let log = crate::support::Log::capture();
    let fixture = Fixture::new(WebSocketConfig { trusted_proxies: Vec::new(), ..strict() }, Gateway::new()).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        // It says nothing of its own requests; those count.
        clients.push(open_as(&fixture, &format!("192.0.2.{number}")).await);
        assert_eq!(come_and_go(&fixture, "192.0.2.99").await.status, 200);
    }
    assert!(clients.iter().all(|answer| answer.status == 200), "{clients:?}");
    let _own = [
        Polling::open(fixture.address).await,
        Polling::open(fixture.address).await,
        Polling::open(fixture.address).await,
    ];
    let refused = ask(fixture.address, "GET", OPEN, "", "").await;
    assert!(
        refused.status == 503 && refused.body.contains("MAX_CONNECTIONS"),
        "a client of its own counts: {refused:?}"
    );
    assert_eq!(log.lines_with(&["WARN", r#"trustedProxies = ["127.0.0.1"]"#]), 1, "{}", log.text());
}

#[tokio::test]
async fn more_headers_and_larger_ones_than_allowed_are_refused_in_a_server_of_the_apps_own_too() {
    let fixture = Fixture::foreign(config(), Gateway::new()).await;
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(20_000));
    for headers in [many, large] {
        let answer = ask(fixture.address, "GET", OPEN, &headers, "").await;
        assert!(answer.status == 431 && answer.body.contains("LIMIT_EXCEEDED"), "{answer:?}");
        assert!(answer.body.contains("limits.header"), "{answer:?}");
    }
}
