//! Configurations written in code.

use std::time::Duration;

use super::super::{ConfigSource, Lease, Limits, RetryConfig, Transport, WebSocketConfig};

fn refused(config: &WebSocketConfig) -> Vec<String> {
    config.validate().expect_err("refused").problems().iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_valid() {
    assert_eq!(WebSocketConfig::default().validate(), Ok(()));
}

#[test]
fn values_that_no_file_could_set_are_refused_with_code_as_their_source() {
    let config = WebSocketConfig {
        path: "/".to_owned(),
        transports: vec![Transport::Polling, Transport::Polling],
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::from_micros(100_500),
        max_connections: 0,
        retry_config: RetryConfig { attempts: 21, timeout: Duration::MAX, ..Default::default() },
        limits: Limits { payload: 1, mailbox: usize::MAX, ..Default::default() },
        ..Default::default()
    };
    let error = config.validate().expect_err("refused");
    assert!(error.problems().iter().all(|problem| *problem.source() == ConfigSource::Code));
    assert_eq!(
        refused(&config),
        [
            "path = \"/\" in code: expected a URL path such as /socket.io, with / in front, none at the end, and no \
             query",
            "transports = [\"polling\", \"polling\"] in code: expected a list of websocket and polling, at least one, \
             none twice",
            "pingInterval = 0 in code: expected a whole number of milliseconds from 100 to 600000",
            "pingTimeout = 100.5 in code: expected a whole number of milliseconds from 100 to 600000",
            "maxConnections = 0 in code: expected a whole number from 1 to 4294967295",
            "retryConfig.attempts = 21 in code: expected a whole number from 0 to 20",
            "retryConfig.timeout = 1.8446744073709552e22 in code: expected a whole number of milliseconds from 1 to \
             600000",
            "limits.payload = 1 in code: expected a whole number of bytes from 1024 to 67108864",
            "limits.mailbox = 18446744073709551615 in code: expected a whole number from 16 to 65536",
        ]
    );
}

#[test]
fn values_that_do_not_fit_each_other_are_refused() {
    let config = WebSocketConfig {
        retry_config: RetryConfig { delay: Duration::from_secs(6), ..Default::default() },
        lease: Lease { duration: Duration::from_millis(3999), ..Default::default() },
        ..Default::default()
    };
    assert_eq!(
        refused(&config),
        [
            "retryConfig.maxDelay = 5000 in code: expected at least retryConfig.delay, which is 6000 in code",
            "lease.heartbeat = 2000 in code: expected at most half of lease.duration, which is 3999 in code",
        ]
    );
    let config = WebSocketConfig {
        lease: Lease { duration: Duration::from_secs(4), ..Default::default() },
        ..Default::default()
    };
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn an_address_may_have_half_of_all_connections_unless_set() {
    for (max_connections, half) in [(1, 1), (2, 1), (3, 2), (1000, 500), (u32::MAX, 1 << 31)] {
        let mut config = WebSocketConfig { max_connections, ..Default::default() };
        assert_eq!(config.connections_per_address(), half);
        config.limits.connections_per_address = Some(7);
        assert_eq!(config.connections_per_address(), 7);
    }
    let mut config = WebSocketConfig::default();
    config.limits.connections_per_address = Some(0);
    assert_eq!(
        refused(&config),
        ["limits.connectionsPerAddress = 0 in code: expected a whole number from 1 to 1000000"]
    );
}
