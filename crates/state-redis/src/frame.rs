//! What is around a message on a channel of Redis.

use bytes::Bytes;

/// By which a node knows its own messages.
pub(crate) type Origin = [u8; 8];

/// The version of the frame. Others are ignored.
const VERSION: u8 = 1;
const HEAD: usize = 2 + size_of::<Origin>();
/// A message of the service.
const MESSAGE: u8 = 0;
/// The new settings of a room.
const SETTINGS: u8 = 1;

/// What came in on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message of another node, for the service.
    Message(Bytes),
    /// One of this node's own messages.
    Own,
    /// A room's settings changed.
    Settings(Bytes),
    /// Nothing that this version understands.
    Foreign,
}

/// A message, ready to be published.
pub(crate) fn message(origin: Origin, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend([VERSION, MESSAGE]);
    bytes.extend(origin);
    bytes.extend(payload);
    bytes
}

/// What goes before the settings of a room. They are nobody's own.
pub(crate) fn settings_head() -> [u8; HEAD] {
    let mut head = [0; HEAD];
    (head[0], head[1]) = (VERSION, SETTINGS);
    head
}

impl Frame {
    pub(crate) fn read(own: Origin, bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        if bytes.len() < HEAD || bytes[0] != VERSION {
            return Self::Foreign;
        }
        let payload = bytes.slice(HEAD..);
        match bytes[1] {
            MESSAGE if bytes[2..HEAD] == own => Self::Own,
            MESSAGE => Self::Message(payload),
            SETTINGS => Self::Settings(payload),
            _ => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Frame, message, settings_head};

    #[test]
    fn a_frame_is_read_as_it_was_made() {
        let sent = message([1; 8], b"hello");
        assert_eq!(Frame::read([2; 8], sent.clone()), Frame::Message(Bytes::from_static(b"hello")));
        assert_eq!(Frame::read([1; 8], sent), Frame::Own);
        let settings = [settings_head().as_slice(), b"[]"].concat();
        assert_eq!(Frame::read([0; 8], settings), Frame::Settings(Bytes::from_static(b"[]")));
    }

    #[test]
    fn foreign_newer_and_cut_frames_are_told_apart() {
        let whole = message([1; 8], b"");
        for end in 0..whole.len() {
            assert_eq!(Frame::read([2; 8], whole[..end].to_vec()), Frame::Foreign, "cut at {end}");
        }
        for (at, value) in [(0, 2), (1, 9)] {
            let mut other = whole.clone();
            other[at] = value;
            assert_eq!(Frame::read([2; 8], other), Frame::Foreign);
        }
        assert_eq!(Frame::read([2; 8], b"{\"channel\":1}".to_vec()), Frame::Foreign);
    }
}
