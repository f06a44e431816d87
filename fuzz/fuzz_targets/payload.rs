//! The arguments of an event: how deep they are is told as a full parser would, and decoding never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_core::Payload;
use serde_json::Value;

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|text: &str| {
    let payload = Payload::from_encoded(text.into(), Vec::new());
    let allowed = [0, 1, 2, 8, 32].map(|most| payload.check_depth(most).is_ok());
    if let Ok(Value::Array(arguments)) = serde_json::from_str(&format!("[{text}]")) {
        let deepest = arguments.iter().map(depth).max().unwrap_or(0);
        assert_eq!(allowed, [0, 1, 2, 8, 32].map(|most| deepest <= most), "{deepest}");
    }
    let _ = payload.decode::<Value>();
    let _ = payload.decode::<(String, Vec<u8>)>();
});
