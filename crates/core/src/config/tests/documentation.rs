//! `docs/configuration.md` agrees with the code.

use super::{
    super::{ConfigKey, Reloading, WebSocketConfig},
    load, load_file, refused,
};

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// The content of a fenced block of this language.
fn fenced(language: &str) -> &'static str {
    let (_, from) = PAGE.split_once(&format!("```{language}\n")).expect("a block of the language");
    from.split_once("```").expect("an end of the block").0
}

#[test]
fn every_key_is_listed_with_its_variable_default_allowed_values_reloading_and_meaning() {
    let mut table =
        "| key | variable | default | allowed | changed | meaning |\n|---|---|---|---|---|---|\n".to_owned();
    for key in ConfigKey::all() {
        let default = match (key.default(), key.default_rule()) {
            (Some(default), _) => format!("`{default}`"),
            (None, rule) => rule.unwrap_or("none").to_owned(),
        };
        let changed = match key.reloading() {
            Reloading::AtOnce => "at once",
            Reloading::NewClients => "new clients",
            Reloading::Restart => "restart",
        };
        let (name, variable, allowed, meaning) = (key.name(), key.variable(), key.allowed(), key.meaning());
        table.push_str(&format!("| `{name}` | `{variable}` | {default} | {allowed} | {changed} | {meaning} |\n"));
    }
    assert!(PAGE.contains(&format!("\n{table}\n")), "docs/configuration.md should have this table:\n\n{table}");
}

#[test]
fn every_key_of_the_nestjs_interface_exists() {
    for name in [
        "enabled",
        "debug",
        "path",
        "port",
        "transports",
        "pingInterval",
        "pingTimeout",
        "maxConnections",
        "ssl",
        "keepAlive",
        "retryConfig.attempts",
        "retryConfig.delay",
        "retryConfig.maxDelay",
        "retryConfig.timeout",
        "logger.level",
        "logger.pretty",
    ] {
        assert!(ConfigKey::named(name).is_some(), "{name}");
    }
}

#[test]
fn the_examples_of_the_three_formats_are_read_and_mean_the_same() {
    let toml = load_file("roomwire.toml", fenced("toml")).expect("allowed");
    assert_ne!(toml, WebSocketConfig::default());
    assert_eq!(load_file("roomwire.yaml", fenced("yaml")).expect("allowed"), toml);
    assert_eq!(load_file("roomwire.json", fenced("json")).expect("allowed"), toml);
}

#[test]
fn the_example_of_variables_is_read() {
    let pairs: Vec<_> = fenced("sh").lines().filter_map(|line| line.split_once('=')).collect();
    let config = load(&[], &pairs).expect("allowed");
    assert_eq!((config.port, config.retry_config.max_delay.as_millis()), (4000, 8000));
}

#[test]
fn the_error_shown_is_the_error_given() {
    let file = ("roomwire.toml", "pingIntervall = 3\n[retryConfig]\ndelay = 6000\n");
    let lines = refused(&[file], &[("ROOMWIRE_PORT", "many")]);
    assert_eq!(fenced("text"), format!("3 configuration problems:\n  {}\n", lines.join("\n  ")));
}
