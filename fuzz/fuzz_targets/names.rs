//! Names from outside: what is accepted is kept to the byte, is short enough, and holds no control character.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_core::{ClientId, EventName, Namespace, NodeId, RoomId, TokenId, UserId};

macro_rules! check {
    ($text:expr, $($name:ty: $most:expr),*) => {
        $(if let Ok(name) = <$name>::new($text) {
            let kept: &str = name.as_str();
            assert_eq!(kept, $text);
            assert!(!kept.is_empty() && kept.len() <= $most, "{kept:?}");
            assert!(!kept.chars().any(char::is_control), "{kept:?}");
        })*
    };
}

fuzz_target!(|text: &str| {
    check!(text, RoomId: RoomId::MAX_BYTES, UserId: UserId::MAX_BYTES, TokenId: TokenId::MAX_BYTES,
        NodeId: NodeId::MAX_BYTES, ClientId: ClientId::MAX_BYTES, EventName: EventName::MAX_BYTES,
        Namespace: Namespace::MAX_BYTES);
    // As JSON they are read by the same rules.
    let json = serde_json::Value::from(text);
    assert_eq!(serde_json::from_value::<RoomId>(json).is_ok(), RoomId::new(text).is_ok());
});
