//! The three formats, and which file is read.

use serde_json::{Value, json};

use super::{
    super::{ConfigKey, ConfigSource, WebSocketConfig},
    default_with, directory_with, load, load_file, load_in, other_values, refused, variables,
};

/// One key in the syntax of a format; JSON's scalars and lists are also TOML's and YAML's.
fn written(format: &str, key: &str, value: &Value) -> String {
    match (format, key.split_once('.')) {
        ("json", Some((group, name))) => json!({ group: { name: value } }).to_string(),
        ("json", None) => json!({ key: value }).to_string(),
        ("toml", Some((group, name))) => format!("[{group}]\n{name} = {value}\n"),
        ("toml", None) => format!("{key} = {value}\n"),
        (_, Some((group, name))) => format!("{group}:\n  {name}: {value}\n"),
        (_, None) => format!("{key}: {value}\n"),
    }
}

#[test]
fn every_key_is_read_from_every_format_and_changes_its_field_only() {
    let values = other_values();
    let names: Vec<_> = values.iter().map(|(key, _)| *key).collect();
    assert_eq!(names, ConfigKey::all().map(ConfigKey::name).collect::<Vec<_>>());
    for (key, value) in values {
        for (name, format) in
            [("roomwire.toml", "toml"), ("roomwire.yaml", "yaml"), ("roomwire.yml", "yaml"), ("roomwire.json", "json")]
        {
            let config = load_file(name, &written(format, key, &value)).expect("allowed");
            assert_ne!(config, WebSocketConfig::default(), "{key} in {name}");
            assert_eq!(serde_json::to_value(config).expect("serializes"), default_with(key, &value), "{key} in {name}");
        }
    }
}

#[test]
fn the_documented_example_of_the_nestjs_module_is_the_default() {
    let text = r#"{
        "enabled": true, "debug": false, "path": "/socket.io", "port": 3000,
        "transports": ["websocket", "polling"], "pingInterval": 25000, "pingTimeout": 5000,
        "maxConnections": 1000, "ssl": false, "keepAlive": true,
        "retryConfig": { "attempts": 3, "delay": 1000, "maxDelay": 5000, "timeout": 10000 },
        "logger": { "level": "info", "pretty": true }
    }"#;
    assert_eq!(load_file("roomwire.json", text).expect("allowed"), WebSocketConfig::default());
    // JSON is YAML too.
    assert_eq!(load_file("roomwire.yaml", text).expect("allowed"), WebSocketConfig::default());
}

#[test]
fn what_serialization_writes_is_read_back_the_same() {
    let mut config = WebSocketConfig::default();
    for _ in 0..2 {
        let text = serde_json::to_string(&config).expect("serializes");
        assert_eq!(load_file("roomwire.json", &text).expect("allowed"), config);
        config.node_id = Some(crate::NodeId::new("räume 🏠").expect("a name"));
    }
}

#[test]
fn an_empty_file_and_a_missing_one_leave_the_defaults() {
    for files in [&[][..], &[("roomwire.toml", "")], &[("roomwire.yaml", "# nothing\n")], &[("roomwire.json", "{}")]] {
        assert_eq!(load(files, &[]).expect("allowed"), WebSocketConfig::default());
    }
}

#[test]
fn null_leaves_the_node_without_a_name() {
    assert_eq!(load_file("roomwire.json", "{\"nodeId\": null}").expect("allowed").node_id, None);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_file() {
    assert_eq!(load_file("roomwire.json", "\u{feff}{\"port\":1}").expect("allowed").port, 1);
}

#[test]
fn two_files_in_one_directory_are_refused_with_both_names() {
    let files = [("roomwire.toml", "port = 1"), ("roomwire.json", "{}"), ("roomwire.yml", "port: 3")];
    assert_eq!(
        refused(&files, &[]),
        ["roomwire.toml: also found roomwire.yml and roomwire.json; expected one configuration file, or one of them \
          named in ROOMWIRE_CONFIG"]
    );
    assert_eq!(load(&files, &[("ROOMWIRE_CONFIG", "roomwire.yml")]).expect("one is named").port, 3);
}

#[test]
fn a_file_named_by_the_variable_must_be_there_and_of_a_known_format() {
    for (value, problem) in [
        ("gone.toml", "cannot be read: No such file or directory (os error 2)"),
        ("settings.ini", "is of no known format"),
        ("settings", "is of no known format"),
        ("", "is of no known format"),
    ] {
        assert_eq!(
            refused(&[("settings.ini", "port=1"), ("roomwire.toml", "")], &[("ROOMWIRE_CONFIG", value)]),
            [format!(
                "ROOMWIRE_CONFIG = {value:?} in the environment: {problem}; expected a .toml, .yaml, .yml or .json file"
            )]
        );
    }
}

#[test]
fn a_file_named_in_code_comes_before_the_variable_and_the_directory() {
    let directory = directory_with(&[("roomwire.toml", "port = 1"), ("mine.json", r#"{"port": 2}"#)]);
    let loader = || {
        WebSocketConfig::loader().directory(directory.path()).variables(variables(&[("ROOMWIRE_CONFIG", "gone.toml")]))
    };
    assert_eq!(loader().file("mine.json").load().expect("allowed").port, 2);
    assert_eq!(loader().file(directory.path().join("mine.json")).load().expect("allowed").port, 2);
    assert_eq!(loader().without_file().load().expect("allowed").port, 3000);
    let error = loader().file("lost.toml").load().expect_err("missing");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.source(), &ConfigSource::File(directory.path().join("lost.toml").display().to_string()));
    assert_eq!((problem.key(), problem.value()), (None, None));
}

#[test]
fn syntax_errors_name_the_file_and_the_line() {
    for (name, text, problem) in [
        ("roomwire.toml", "debug = true\nport\n", "line 2, column 5: key with no value, expected `=`"),
        ("roomwire.toml", "port = 1\nport = 2\n", "line 2, column 1: duplicate key"),
        (
            "roomwire.yaml",
            "debug: true\nport: [1\n",
            "while parsing a flow sequence, expected ',' or ']' at byte 21 line 3 column 1",
        ),
        ("roomwire.json", "{\n  \"port\": 1,\n}", "trailing comma at line 3 column 1"),
        ("roomwire.json", "[]", "invalid type: sequence, expected a map"),
    ] {
        assert_eq!(refused(&[(name, text)], &[]), [format!("{name}: {problem}")]);
    }
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let directory = directory_with(&[]);
    std::fs::write(directory.path().join("roomwire.toml"), b"path = \"\xff\"").expect("a file");
    let error = load_in(&directory, &[]).expect_err("refused");
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(
        problem.allowed(),
        "cannot be read: stream did not contain valid UTF-8; expected a .toml, .yaml, .yml or .json file"
    );
}
