//! The header of a message on a Redis channel.
//!
//! A message of the service has its own checksum. The new settings of a room are published by a script, which prepends
//! their SHA-1: Redis has no faster checksum for scripts, and settings change rarely.

use bytes::Bytes;
use sha1_smol::Sha1;

/// Identifies a node's own messages.
pub(crate) type Origin = [u8; 8];

/// The version of the frame. Others are rejected.
const VERSION: u8 = 2;
pub(crate) const HEAD: usize = 2 + size_of::<Origin>();
/// A message of the service.
const MESSAGE: u8 = 0;
/// The new settings of a room.
const SETTINGS: u8 = 1;
/// The length of a SHA-1 in hexadecimal digits.
const SHA1: usize = 40;

/// A parsed incoming message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message of another node, for the service.
    Message(Bytes),
    /// A room's settings changed.
    Settings(Bytes),
    /// Damaged, of another version, or not of this service, with the reason.
    Unreadable(String),
}

/// A message, ready to be published.
pub(crate) fn message(origin: Origin, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend([VERSION, MESSAGE]);
    bytes.extend(origin);
    bytes.extend(payload);
    bytes
}

/// The header of the settings of a room, before their SHA-1. It has no origin: the sending node reads them, too.
pub(crate) fn settings_head() -> [u8; HEAD] {
    let mut head = [0; HEAD];
    (head[0], head[1]) = (VERSION, SETTINGS);
    head
}

/// Whether this is a message that the node itself published.
pub(crate) fn is_own(own: Origin, bytes: &[u8]) -> bool {
    bytes.starts_with(&[VERSION, MESSAGE]) && bytes.get(2..HEAD) == Some(&own)
}

impl Frame {
    /// Reads a message that the node itself did not publish.
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        if bytes.len() < HEAD {
            return Self::unreadable("message is cut, or is not of this service");
        }
        if bytes[0] != VERSION {
            return Self::Unreadable(format!("frame of version {}, expected {VERSION}", bytes[0]));
        }
        let payload = bytes.slice(HEAD..);
        match bytes[1] {
            MESSAGE => Self::Message(payload),
            SETTINGS => Self::settings(&payload),
            kind => Self::Unreadable(format!("frame of kind {kind}, which this version does not know")),
        }
    }

    fn settings(payload: &Bytes) -> Self {
        match payload.split_at_checked(SHA1) {
            Some((checksum, text)) if Sha1::from(text).digest().to_string().as_bytes() == checksum => {
                Self::Settings(payload.slice(SHA1..))
            }
            _ => Self::unreadable("settings of a room fail their checksum: they were damaged on the way"),
        }
    }

    fn unreadable(reason: &str) -> Self {
        Self::Unreadable(reason.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Frame, Sha1, is_own, message, settings_head};

    fn settings(text: &str) -> Vec<u8> {
        [settings_head().as_slice(), Sha1::from(text).digest().to_string().as_bytes(), text.as_bytes()].concat()
    }

    fn is_unreadable(frame: &Frame) -> bool {
        matches!(frame, Frame::Unreadable(_))
    }

    #[test]
    fn a_frame_is_read_as_it_was_made() {
        let sent = message([1; 8], b"hello");
        assert!(is_own([1; 8], &sent) && !is_own([2; 8], &sent));
        assert_eq!(Frame::read(sent), Frame::Message(Bytes::from_static(b"hello")));
        assert!(!is_own([0; 8], &settings("[]")), "the sending node reads them, too");
        assert_eq!(Frame::read(settings("[]")), Frame::Settings(Bytes::from_static(b"[]")));
    }

    #[test]
    fn foreign_newer_and_cut_frames_are_unreadable() {
        let whole = message([1; 8], b"");
        for end in 0..whole.len() {
            assert!(is_unreadable(&Frame::read(whole[..end].to_vec())), "cut at {end}");
        }
        for (at, value) in [(0, 3), (1, 9)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(is_unreadable(&Frame::read(other)));
        }
        assert!(is_unreadable(&Frame::read(b"{\"channel\":1}".to_vec())));
    }

    #[test]
    fn a_frame_of_the_version_before_is_refused_in_words_that_name_both() {
        let mut former = message([1; 8], b"hello");
        former[0] = 1;
        let Frame::Unreadable(reason) = Frame::read(former) else { panic!("it is read") };
        assert_eq!(reason, "frame of version 1, expected 2");
    }

    #[test]
    fn no_settings_with_a_flipped_bit_are_read() {
        let whole = settings(r#"["/,room","7",4,["name","25",false,"{\"topic\":\"rust\"}"]]"#);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let frame = Frame::read(damaged);
                // As a message of the service they fail its checksum.
                let is_message = at == 1 && bit == 0 && matches!(frame, Frame::Message(_));
                // A header without an origin is accepted whatever follows.
                let is_origin = (2..10).contains(&at) && matches!(frame, Frame::Settings(_));
                assert!(is_unreadable(&frame) || is_message || is_origin, "bit {bit} of byte {at}: {frame:?}");
            }
        }
    }
}
