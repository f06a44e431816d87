//! The alert rules and the dashboard of docs/monitoring use metrics that exist, and Prometheus' own tool accepts them and
//! what a server tells it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
};

use axum::Router;
use roomwire_axum_adapter::{Server, prometheus};
use roomwire_core::{Metric, MetricKind};
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TABLES: [&[Metric]; 5] = [
    roomwire_axum_adapter::METRICS,
    roomwire_socketio::METRICS,
    roomwire_service::METRICS,
    roomwire_state_redis::METRICS,
    roomwire_auth_jwt::METRICS,
];

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "monitoring"].iter().collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).expect("reads")
}

/// The names of all series, as Prometheus stores them.
fn series() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for metric in TABLES.concat() {
        if metric.kind == MetricKind::Histogram {
            names.extend(["bucket", "count", "sum"].map(|part| format!("{}_{part}", metric.name)));
        } else {
            names.insert(metric.name.to_owned());
        }
    }
    names
}

/// The series that an expression names, and the values that it selects by their labels.
fn check(expression: &str) -> usize {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let used: Vec<_> = expression.split(word).filter(|word| word.starts_with("roomwire_")).collect();
    let known = series();
    for name in &used {
        assert!(known.contains(*name), "{name} in {expression}");
    }
    used.len()
}

#[test]
fn alerts_use_metrics_and_labels_that_exist_and_each_is_tested() {
    let (rules, tests) = (read("alerts.yml"), read("alerts.test.yml"));
    let lines: Vec<_> = rules.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert!(lines.iter().map(|line| check(line)).sum::<usize>() >= 15);
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(
            tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n          - ")),
            "{alert} is not tested"
        );
    }
    let all = TABLES.concat();
    for selector in tests.lines().filter_map(|line| line.trim().strip_prefix("- series: ")) {
        let (name, labels) = selector.trim_end_matches('}').split_once('{').expect("labels");
        check(name);
        let metric =
            all.iter().find(|metric| name.starts_with(metric.name) && !name.ends_with("_total") || metric.name == name);
        let label = metric.expect(name).label;
        for (key, value) in labels.split(", ").filter_map(|label| label.split_once('=')) {
            let value = value.trim_matches('"');
            let is_known = label.is_some_and(|(known, values)| known == key && values.contains(&value));
            assert!(is_known || matches!(key, "instance" | "le"), "{key}={value} of {name}");
        }
    }
}

#[test]
fn each_panel_of_the_dashboard_shows_metrics_that_exist_of_the_chosen_nodes_and_source() {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut shown = 0;
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let expression = target["expr"].as_str().expect("an expression");
        let used = check(expression);
        assert!(used > 0, "{expression}");
        assert_eq!(expression.matches(r#"instance=~"$instance""#).count(), used, "{expression}");
        assert_eq!(target["datasource"]["uid"], "${datasource}");
        shown += 1;
    }
    assert!(shown > 30, "{shown}");
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert!(variables.iter().any(|variable| variable["type"] == "datasource"));
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn promtool_accepts_the_alert_rules_and_their_tests_pass() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");
}

#[tokio::test]
async fn promtool_accepts_what_a_server_tells_after_some_traffic() {
    let (recorder, metrics) = prometheus::recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let config = WebSocketConfig { port: 0, ..WebSocketConfig::default() };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let app = Router::new().route("/metrics", metrics.endpoint());
    let server = Server::bind(app, service, Gateway::new()).await.expect("binds");
    let address = server.local_addr().expect("an address");
    tokio::spawn(server.run_until(std::future::pending()));

    let polling = "/socket.io/?EIO=4&transport=polling";
    let opened = request(address, "GET", polling, "").await;
    let session = opened.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
    let session = format!("{polling}&sid={session}");
    request(address, "POST", &session, "40").await;
    request(address, "GET", &session, "").await;
    request(address, "POST", &session, r#"42["unknown"]"#).await;
    request(address, "GET", &session, "").await;
    // What this server has no reason to record.
    for metric in TABLES.concat().iter().filter(|metric| metric.kind == MetricKind::Histogram) {
        let values = metric.label.map_or(&[""][..], |(_, values)| values);
        let histograms = metric.histograms();
        values.iter().filter_map(|value| histograms.get(value)).for_each(|histogram| histogram.record(0.01));
    }
    Metric::describe_all(roomwire_state_redis::METRICS);
    Metric::describe_all(roomwire_auth_jwt::METRICS);

    let scrape = request(address, "GET", "/metrics", "").await;
    let (head, text) = scrape.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for line in [r#"roomwire_events_total{outcome="UNKNOWN_EVENT"} 1"#, r#"roomwire_sessions{transport="polling"} 1"#] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    for name in series() {
        assert!(text.lines().any(|line| line.starts_with(&name)), "{name} is not there");
    }
    promtool(&["check", "metrics"], text);
}

/// The response to a request on a connection of its own.
async fn request(address: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!("{method} {target} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("writes");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("reads");
    assert!(response.starts_with("HTTP/1.0 200"), "{response}");
    response
}

/// Runs Prometheus' tool, which must find nothing.
fn promtool(args: &[&str], input: &str) {
    let mut tool = Command::new("promtool")
        .args(args)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs: install Prometheus (Debian's package prometheus), or `cargo xtask test` does");
    // A tool that reads no input may have ended.
    let _ = tool.stdin.take().expect("an input").write_all(input.as_bytes());
    let output = tool.wait_with_output().expect("ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&said));
}
