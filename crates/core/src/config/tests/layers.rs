//! Precedence of the layers.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::Value;

use super::{
    super::{ConfigKey, ConfigSource, Transport, WebSocketConfig},
    default_with, load, load_variables, other_values, refused, variables,
};

/// A value as typed in a shell.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(typed).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[test]
fn every_key_is_read_from_its_variable_and_changes_its_field_only() {
    for (key, value) in other_values() {
        let variable = ConfigKey::named(key).expect("a key").variable();
        let config = load_variables(&[(&variable, &typed(&value))]).expect("allowed");
        assert_eq!(serde_json::to_value(config).expect("serializes"), default_with(key, &value), "{variable}");
    }
}

#[test]
fn variables_come_before_the_file_and_the_file_before_the_defaults() {
    let file = ("roomwire.toml", "port = 1\npath = \"/file\"\n[retryConfig]\nattempts = 7\ndelay = 70\n");
    let config = load(&[file], &[("ROOMWIRE_PORT", "2"), ("ROOMWIRE_RETRY_CONFIG__DELAY", "80")]).expect("allowed");
    assert_eq!((config.port, config.path.as_str(), config.host), (2, "/file", Ipv4Addr::LOCALHOST.into()));
    assert_eq!((config.retry_config.attempts, config.retry_config.delay), (7, Duration::from_millis(80)));
    assert_eq!(config.retry_config.max_delay, Duration::from_millis(5000));
}

#[test]
fn a_list_in_a_later_layer_replaces_the_whole_list() {
    let file = ("roomwire.toml", "transports = [\"websocket\", \"polling\"]");
    let config = load(&[file], &[("ROOMWIRE_TRANSPORTS", "polling")]).expect("allowed");
    assert_eq!(config.transports, [Transport::Polling]);
    let config = load_variables(&[("ROOMWIRE_TRANSPORTS", "polling, websocket")]).expect("allowed");
    assert_eq!(config.transports, [Transport::Polling, Transport::Websocket]);
}

#[test]
fn a_bad_value_is_refused_even_where_a_later_layer_replaces_it() {
    let file = ("roomwire.toml", "port = \"many\"\nretryConfig = 3\n");
    let replaced = [("ROOMWIRE_PORT", "2"), ("ROOMWIRE_RETRY_CONFIG__ATTEMPTS", "1")];
    assert_eq!(
        refused(&[file], &replaced),
        [
            "port = \"many\" in roomwire.toml: expected a whole number from 0 to 65535",
            "retryConfig = 3 in roomwire.toml: expected a table with keys out of attempts, delay, maxDelay, timeout",
        ]
    );
}

#[test]
fn two_values_that_do_not_fit_are_refused_with_both_sources() {
    let file = ("roomwire.toml", "[retryConfig]\ndelay = 6000\n[lease]\nheartbeat = 300\n");
    assert_eq!(
        refused(&[file], &[("ROOMWIRE_LEASE__DURATION", "500")]),
        [
            "retryConfig.maxDelay = 5000 in the defaults: expected at least retryConfig.delay, which is 6000 in \
             roomwire.toml",
            "lease.heartbeat = 300 in roomwire.toml: expected at most half of lease.duration, which is 500 in \
             ROOMWIRE_LEASE__DURATION",
        ]
    );
}

#[test]
fn variables_of_others_are_left_alone_and_ours_are_not() {
    let others = [
        ("PORT", "x"),
        ("roomwire_port", "x"),
        ("ROOMWIRE", "x"),
        ("ROOMWIRE_E2E_REDIS", "x"),
        ("ROOMWIRE_CHAT", "x"),
        ("ROOMWIRE_CHAT_PAGE", "x"),
        ("ROOMWIRE_CHROMIUM", "x"),
        ("ROOMWIRE_WRITE_SCREENSHOTS", "x"),
    ];
    assert_eq!(load_variables(&others).expect("allowed"), WebSocketConfig::default());
    for name in ["ROOMWIRE_", "ROOMWIRE_E2E", "ROOMWIRE_CONFIGURATION", "ROOMWIRE_port", "ROOMWIRE_RETRY_CONFIG"] {
        let error = load_variables(&[(name, "x")]).expect_err("refused");
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!((problem.key(), problem.value()), (Some(name), Some("\"x\"")));
        assert_eq!(problem.source(), &ConfigSource::Environment);
    }
}

#[test]
fn debug_output_of_a_loader_holds_no_values() {
    let loader = WebSocketConfig::loader().variables(variables(&[("REDIS_PASSWORD", "hunter2")]));
    assert!(!format!("{loader:?}").contains("hunter2"));
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_left_alone() {
    let mut pairs = Vec::new();
    for service in ["ROOMWIRE", "ROOMWIRE_REDIS", "ROOMWIRE_API_V2"] {
        for (name, value) in [
            ("SERVICE_HOST", "10.0.0.7"),
            ("SERVICE_PORT", "3000"),
            ("SERVICE_PORT_HTTP", "3000"),
            ("PORT", "tcp://10.0.0.7:3000"),
            ("PORT_3000_TCP", "tcp://10.0.0.7:3000"),
            ("PORT_3000_TCP_PROTO", "tcp"),
            ("PORT_3000_TCP_PORT", "3000"),
            ("PORT_3000_TCP_ADDR", "10.0.0.7"),
            ("PORT_53_UDP", "udp://10.0.0.7:53"),
        ] {
            pairs.push((format!("{service}_{name}"), value));
        }
    }
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(load_variables(&pairs).expect("allowed"), WebSocketConfig::default());
    // A variable that the pod itself sets replaces the one from Kubernetes.
    pairs.retain(|(name, _)| *name != "ROOMWIRE_PORT");
    pairs.push(("ROOMWIRE_PORT", "4000"));
    assert_eq!(load_variables(&pairs).expect("allowed").port, 4000);
    for (name, value) in [("ROOMWIRE_PORT", "many"), ("ROOMWIRE_PORT_X_TCP", "1"), ("ROOMWIRE_SERVICE", "1")] {
        load_variables(&[(name, value)]).expect_err(name);
    }
}
