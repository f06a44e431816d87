//! Packets as socketioxide hands them over: events, acknowledgements and handshakes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: (u8, &str)| roomwire_axum_adapter::fuzzing::packet(packet.0, packet.1));
