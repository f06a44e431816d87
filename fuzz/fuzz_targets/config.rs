//! Settings in variables: whatever stands in them, they are read or refused with a message, and what is read is valid.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_core::WebSocketConfig;

fuzz_target!(|text: &str| {
    let variables = text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| {
        (format!("ROOMWIRE_{key}"), value.to_owned())
    });
    match WebSocketConfig::loader().without_file().variables(variables).load() {
        Ok(config) => config.validate().expect("what was read is valid"),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
});
