//! Requests to the service's path, as the handshake guard reads them: target, origin, forwarded addresses, tickets.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| roomwire_axum_adapter::fuzzing::request(text));
