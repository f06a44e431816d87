//! Key sets and PEM files: whatever a file or a server gives, it is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| roomwire_auth_jwt::fuzzing::keys(text));
