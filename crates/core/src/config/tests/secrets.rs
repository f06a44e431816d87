//! Secrets are used and never shown.

use super::{
    super::{ConfigSource, Secret, SharedState, WebSocketConfig},
    load, load_file, load_variables, refused,
};

/// Part of every value below that must not be shown.
const WORD: &str = "hunter2";

fn with_secrets() -> WebSocketConfig {
    let file =
        ("roomwire.json", r#"{"state": {"urls": ["tcp://me:hunter2@h:1"], "username": "me", "password": "hunter2"}}"#);
    load(&[file], &[]).expect("allowed")
}

#[test]
fn they_are_read_as_they_are() {
    let state = with_secrets().state;
    assert_eq!(state.password.as_ref().map(Secret::expose), Some(WORD));
    assert_eq!((state.urls, state.username.as_deref()), (vec!["tcp://me:hunter2@h:1".to_owned()], Some("me")));
    let config = load_variables(&[("ROOMWIRE_STATE__PASSWORD", "0123, 4")]).expect("allowed");
    assert_eq!(config.state.password.as_ref().map(Secret::expose), Some("0123, 4"), "text, whatever it looks like");
    assert_eq!(load_file("roomwire.json", r#"{"state": {"password": null}}"#).expect("allowed").state.password, None);
}

#[test]
fn a_configuration_that_is_printed_or_written_does_not_show_them() {
    let config = with_secrets();
    for shown in [
        format!("{config:?}"),
        format!("{config:#?}"),
        format!("{:?}", config.state),
        serde_json::to_string(&config).expect("serializes"),
    ] {
        assert!(!shown.contains(WORD), "{shown}");
        assert!(shown.contains("tcp://(hidden)@h:1"), "{shown}");
    }
}

#[test]
fn no_error_shows_them() {
    for text in [
        r#"{"state": {"password": ["hunter2"]}}"#,
        r#"{"state": {"password": "hunter2\t"}}"#,
        r#"{"state": {"pasword": "hunter2"}}"#,
        r#"{"state": {"urls": "tcp://:hunter2@h"}}"#,
        r#"{"state": {"urls": ["tcp://:hunter2@h", "tcp://:hunter2@h"]}}"#,
        r#"{"state": {"uls": ["tcp://:hunter2@h"]}}"#,
        r#"{"state": "tcp://:hunter2@h"}"#,
        r#"{"sate": {"pasword": "hunter2"}}"#,
        r#"{"pasword": "hunter2"}"#,
    ] {
        let lines = refused(&[("roomwire.json", text)], &[]);
        assert!(!lines.concat().contains(WORD), "{lines:?}");
    }
    for (name, value) in [
        ("ROOMWIRE_STATE__PASSWORD", "hunter2\t"),
        ("ROOMWIRE_STATE_PASWORD", "hunter2"),
        ("ROOMWIRE_STATE", "tcp://:hunter2@h"),
        ("ROOMWIRE_STATE__URLS", "tcp://:hunter2@h,h"),
    ] {
        let lines = refused(&[], &[(name, value)]);
        assert!(!lines.concat().contains(WORD), "{lines:?}");
    }
    let state = SharedState { password: Some("hunter2\t".into()), ..SharedState::default() };
    let error = WebSocketConfig { state, ..Default::default() }.validate().expect_err("refused");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!((problem.value(), problem.source()), (Some("(hidden)"), &ConfigSource::Code));
}

#[test]
fn a_token_that_is_weak_or_cannot_be_sent_is_refused_without_showing_it() {
    let spaced = format!("{WORD} {WORD} {WORD}");
    for token in ["", WORD, "hunter2-hunter2", &spaced, "hunter2-hunter2-hünter2", &"hunter2-".repeat(129)] {
        assert_eq!(
            refused(&[], &[("ROOMWIRE_API__TOKEN", token)]),
            ["api.token = (hidden) in ROOMWIRE_API__TOKEN: expected text of 16 to 1024 printable ASCII characters \
              without spaces"]
        );
    }
    let config = load_variables(&[("ROOMWIRE_API__TOKEN", "0123456789012345")]).expect("allowed");
    assert_eq!(config.api.token.as_ref().map(Secret::expose), Some("0123456789012345"));
    assert!(!format!("{config:?}").contains("0123456789012345"));
}

#[test]
fn the_problem_of_a_secret_says_what_is_allowed() {
    assert_eq!(
        refused(&[("roomwire.json", r#"{"state": {"password": 7}}"#)], &[]),
        ["state.password = (hidden) in roomwire.json: expected text of 1 to 1024 bytes without control characters"]
    );
}
