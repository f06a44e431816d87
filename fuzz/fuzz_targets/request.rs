//! Requests to the service's path, as the handshake check reads them: target, origin, forwarded addresses.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| roomwire_axum_adapter::fuzzing::request(text));
