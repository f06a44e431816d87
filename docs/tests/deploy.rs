//! The files of docs/deploy agree with the configuration and with what they say themselves.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use roomwire_core::WebSocketConfig;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)).expect("reads")
}

/// What follows a text, up to one of the ends.
fn after<'a>(text: &'a str, before: &str, ends: &[char]) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text:?}"));
    rest.split(ends).next().unwrap_or_default()
}

fn seconds(text: &str, before: &str) -> Duration {
    Duration::from_secs(after(text, before, &['\n']).trim().parse().expect("seconds"))
}

/// The configuration by these variables, each of which must be known and valid.
fn config(variables: &BTreeMap<String, String>) -> WebSocketConfig {
    assert!(variables.len() > 2, "{variables:?}");
    WebSocketConfig::loader().without_file().variables(variables.clone()).load().expect("valid")
}

/// How long a stop takes at most.
fn longest_stop(config: &WebSocketConfig) -> Duration {
    config.drain.timeout + config.state.timeout * 3
}

#[test]
fn the_unit_gives_a_node_time_to_drain_and_enough_files() {
    let unit = read("chat.service");
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let config = config(&set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    assert!(seconds(&unit, "TimeoutStopSec=") > longest_stop(&config));
    let files: u32 = after(&unit, "LimitNOFILE=", &['\n']).parse().expect("a number");
    assert_eq!(files, 2 * config.max_connections + 1536);
    assert!(after(&unit, "ExecReload=", &['\n']).contains("-HUP $MAINPID"), "SIGHUP reloads the configuration");
}

#[test]
fn the_container_starts_the_program_without_a_shell() {
    let file = read("Containerfile");
    let environment = after(&file, "\nENV ", &['\n']).split(' ').filter_map(|set| set.split_once('='));
    let config = config(&environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    assert!(config.host.is_unspecified(), "clients are outside of the container");
    assert!(file.contains(&format!("EXPOSE {} ", config.port)));
    assert!(file.contains("ENTRYPOINT [\""), "a shell does not pass SIGTERM on");
}

#[test]
fn the_deployment_gives_a_node_time_to_drain_and_the_endpoints_time_to_notice() {
    let manifest = read("kubernetes.yaml");
    let set = manifest.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("- { name: ROOMWIRE_")?.split_once(", value: \"")?;
        Some((format!("ROOMWIRE_{name}"), value.strip_suffix("\" }")?.to_owned()))
    });
    let config = config(&set.collect());
    assert!(seconds(&manifest, "terminationGracePeriodSeconds: ") > longest_stop(&config));
    let (_, readiness) = manifest.split_once("readinessProbe:").expect("a probe");
    let failures: u32 = after(readiness, "failureThreshold: ", &['\n']).parse().expect("a number");
    let noticed = seconds(readiness, "periodSeconds: ") * failures + Duration::from_secs(2);
    assert!(config.drain.delay >= noticed, "clients would be sent to a node that refuses them");
    assert!(manifest.contains("path: /health/live") && readiness.contains("path: /health/ready"));
}
