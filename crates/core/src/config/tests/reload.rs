//! Changing the configuration of a running service.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{ConfigKey, Reload, Reloading, Secret, WebSocketConfig},
    directory_with, load, load_file, load_in, other_values,
};

/// The defaults with one key changed, by its name in a file.
fn with(key: &str, value: &Value) -> WebSocketConfig {
    let file = match key.split_once('.') {
        Some((group, name)) => json!({ group: { name: value } }),
        None => json!({ key: value }),
    };
    load_file("roomwire.json", &file.to_string()).expect("allowed")
}

#[test]
fn a_changed_key_is_applied_or_is_reported_to_need_a_restart() {
    for (name, value) in other_values() {
        let (old, new) = (WebSocketConfig::default(), with(name, &value));
        let (merged, reload) = old.reloaded(&new, |_| false).expect("valid");
        let key = ConfigKey::named(name).expect("a key");
        if key.reloading() == Reloading::Restart {
            assert_eq!(reload, Reload { applied: vec![], needs_restart: vec![name] });
            assert_eq!(merged, old);
        } else {
            assert_eq!(reload, Reload { applied: vec![name], needs_restart: vec![] });
            assert_eq!(merged, new);
        }
    }
}

#[test]
fn nothing_is_reported_if_nothing_changed_and_no_value_is_ever_shown() {
    let old = with("auth.secret", &json!("hunter2"));
    let (merged, reload) = old.reloaded(&old.clone(), |_| false).expect("valid");
    assert_eq!((merged, reload), (old.clone(), Reload::default()));
    let (merged, reload) = old.reloaded(&with("auth.secret", &json!("hunter3")), |_| false).expect("valid");
    assert_eq!(merged.auth.secret.as_ref().map(Secret::expose), Some("hunter3"));
    let shown = format!("{reload:?} {}", serde_json::to_string(&reload).expect("serializes"));
    assert!(shown.contains("auth.secret") && !shown.contains("hunter"), "{shown}");
}

#[test]
fn a_fixed_key_keeps_its_value_and_the_result_is_checked_as_a_whole() {
    let old = WebSocketConfig::default();
    let mut new = old.clone();
    (new.drain.timeout, new.drain.delay) = (Duration::from_secs(60), Duration::from_secs(20));
    let (merged, reload) = old.reloaded(&new, |_| false).expect("valid");
    assert_eq!((merged, reload.applied), (new.clone(), vec!["drain.timeout", "drain.delay"]));
    // With the old timeout of 10 s the delay is too long.
    let error = old.reloaded(&new, |key| key.name() == "drain.timeout").expect_err("refused");
    assert_eq!(error.problems()[0].key(), Some("drain.delay"), "{error}");
}

#[test]
fn an_invalid_configuration_is_refused_even_if_its_mistake_is_in_a_key_that_needs_a_restart() {
    let new = WebSocketConfig { path: "no slash".to_owned(), debug: true, ..WebSocketConfig::default() };
    let error = WebSocketConfig::default().reloaded(&new, |_| false).expect_err("refused");
    assert_eq!(error.problems()[0].key(), Some("path"));
}

#[test]
fn a_loaded_configuration_is_read_again_from_the_same_file_and_variables() {
    let directory = directory_with(&[("roomwire.toml", "port = 1\nmaxConnections = 10\n")]);
    let started = load_in(&directory, &[("ROOMWIRE_DEBUG", "true")]).expect("allowed");
    let write = |text| std::fs::write(directory.path().join("roomwire.toml"), text).expect("written");
    write("port = 2\nmaxConnections = 20\n");
    let again = started.read_again().expect("allowed").expect("an origin");
    assert_eq!((again.port, again.max_connections, again.debug), (2, 20, true));

    write("maxConnections = many");
    started.read_again().expect_err("refused");
    std::fs::remove_file(directory.path().join("roomwire.toml")).expect("removed");
    let gone = started.read_again().expect_err("its keys would go back to their defaults").to_string();
    assert!(gone.contains("roomwire.toml is gone") || gone.contains("roomwire.toml: is gone"), "{gone}");
    write("");
    let again = started.read_again().expect("allowed").expect("an origin");
    assert_eq!(again.max_connections, WebSocketConfig::default().max_connections);
}

#[test]
fn what_the_app_changed_in_code_after_loading_stays() {
    let directory = directory_with(&[("roomwire.toml", "port = 1\n")]);
    let mut started = load_in(&directory, &[]).expect("allowed");
    started.limits.depth = 7;
    std::fs::write(directory.path().join("roomwire.toml"), "[limits]\ndepth = 20\nmailbox = 20\n").expect("written");
    let again = started.read_again().expect("allowed").expect("an origin");
    assert_eq!((again.limits.depth, again.limits.mailbox), (7, 20));
}

#[test]
fn a_configuration_written_in_code_has_nothing_to_read_again() {
    let written = WebSocketConfig { port: 1, ..WebSocketConfig::default() };
    assert!(!written.origin.is_known());
    assert_eq!(written.read_again(), Ok(None));
    assert!(load(&[], &[]).expect("allowed").origin.is_known());
}
