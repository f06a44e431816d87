//! Text messages that are ready for every transport.

use std::fmt;

use bytes::Bytes;

/// The longest head of an unmasked websocket frame: opcode, and a length of eight bytes.
const LONGEST_HEAD: usize = 10;

/// A final text frame, the opcode of its first byte.
const TEXT: u8 = 0x81;

/// An Engine.IO text message, encoded once for all transports.
///
/// The bytes are a websocket text frame of a server ([RFC 6455, section 5.2]); its payload is the message as HTTP
/// long-polling carries it. Clones share the bytes.
///
/// [RFC 6455, section 5.2]: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
#[derive(Clone, PartialEq, Eq)]
pub struct TextFrame {
    frame: Bytes,
    head: u8,
}

impl TextFrame {
    /// A message of fewer than 126 bytes, from its frame with the head.
    ///
    /// ```
    /// use roomwire_core::packet::TextFrame;
    ///
    /// const PING: TextFrame = TextFrame::from_static(b"\x81\x012");
    /// assert_eq!(PING.payload(), "2");
    /// ```
    #[must_use]
    pub const fn from_static(frame: &'static [u8]) -> Self {
        assert!(frame.len() >= 2 && frame[0] == TEXT && frame[1] as usize == frame.len() - 2, "not a short text frame");
        Self { frame: Bytes::from_static(frame), head: 2 }
    }

    /// The frame of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        finish(begin(text.len()) + text)
    }

    /// The websocket frame, with its head.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The message without the frame's head.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.frame.slice(usize::from(self.head)..)
    }

    /// The message as text.
    pub(super) fn as_str(&self) -> &str {
        // Built from text, and by `from_static` from ASCII.
        std::str::from_utf8(&self.frame[usize::from(self.head)..]).unwrap_or_default()
    }
}

impl fmt::Debug for TextFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TextFrame").field(&self.as_str()).finish()
    }
}

/// A text with space for a frame's head before it. Append the message, then call [`finish`].
pub(super) fn begin(capacity: usize) -> String {
    let mut text = String::with_capacity(LONGEST_HEAD + capacity);
    text.extend(std::iter::repeat_n('\0', LONGEST_HEAD));
    text
}

/// Writes the head of the frame before the text of [`begin`].
pub(super) fn finish(text: String) -> TextFrame {
    let mut bytes = text.into_bytes();
    let length = bytes.len() - LONGEST_HEAD;
    let mut head = [0; LONGEST_HEAD];
    let head = frame_head(TEXT, length, &mut head);
    let begin = LONGEST_HEAD - head.len();
    bytes[begin..LONGEST_HEAD].copy_from_slice(head);
    TextFrame { frame: Bytes::from(bytes).slice(begin..), head: u8::try_from(head.len()).unwrap_or_default() }
}

/// Writes the head of an unmasked websocket frame with this first byte and payload length.
///
/// ```
/// use roomwire_core::packet::frame_head;
///
/// assert_eq!(frame_head(0x82, 300, &mut [0; 10]), [0x82, 126, 1, 44]);
/// ```
#[must_use]
pub fn frame_head(first: u8, length: usize, head: &mut [u8; LONGEST_HEAD]) -> &[u8] {
    head[0] = first;
    if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        head[1] = short;
        &head[..2]
    } else if let Ok(length) = u16::try_from(length) {
        head[1] = 126;
        head[2..4].copy_from_slice(&length.to_be_bytes());
        &head[..4]
    } else {
        head[1] = 127;
        head[2..].copy_from_slice(&(length as u64).to_be_bytes());
        &head[..]
    }
}

#[cfg(test)]
mod tests {
    use super::TextFrame;

    #[test]
    fn the_head_of_a_frame_says_how_long_its_payload_is() {
        for (length, head) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let text = "x".repeat(length);
            let frame = TextFrame::new(&text);
            assert_eq!(&frame.frame()[..head.len()], head);
            assert_eq!(frame.frame().len(), head.len() + length);
            assert_eq!(frame.payload(), text);
            assert_eq!(frame.as_str(), text);
        }
        assert_eq!(TextFrame::from_static(b"\x81\x012"), TextFrame::new("2"));
    }
}
