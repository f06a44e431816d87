//! Websocket frames of a client, in pieces of any size.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: (u8, &[u8])| roomwire_socketio::fuzzing::frames(stream.0, stream.1));
