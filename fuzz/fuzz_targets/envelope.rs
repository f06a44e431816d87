//! Messages of other nodes: whatever comes over the bus is read or refused, and what is read is written the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_core::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::decode(bytes) {
        let again = envelope.encode().expect("what was read can be written");
        assert_eq!(Envelope::decode(&again).as_ref(), Ok(&envelope));
    }
});
