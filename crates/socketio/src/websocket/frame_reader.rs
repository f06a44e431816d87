//! Messages of a client, from the bytes of its websocket frames ([RFC 6455, section 5]).
//!
//! [RFC 6455, section 5]: https://www.rfc-editor.org/rfc/rfc6455#section-5

use bytes::Bytes;
use bytestring::ByteString;

/// The longest head of a client's frame: opcode, length, mask.
const LONGEST_HEAD: usize = 2 + 8 + 4;

/// The payload of a control frame is at most this long.
const LONGEST_CONTROL: u64 = 125;

/// Memory that is reserved at once for a message. More is reserved as its bytes arrive.
const RESERVED: usize = 65_536;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One message of a client, or one control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(ByteString),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// The close code, if there is one.
    Close(Option<u16>),
}

/// Why a websocket must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The frames do not follow the protocol.
    Protocol(&'static str),
    /// A text is not UTF-8.
    InvalidText,
    /// The message is larger than it may be.
    TooLarge,
}

/// Reads the frames of one websocket. Uses no memory between messages.
#[derive(Debug)]
pub(crate) struct FrameReader {
    max_message: u64,
    head: [u8; LONGEST_HEAD],
    head_length: usize,
    /// The frame of which the payload is being read.
    frame: Option<Frame>,
    /// The opcode of the fragmented message that is being read.
    fragmented: Option<u8>,
    message: Vec<u8>,
    control: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    is_final: bool,
    mask: [u8; 4],
    missing: u64,
}

impl FrameReader {
    /// A message may have so many bytes.
    pub(crate) fn new(max_message: usize) -> Self {
        Self {
            max_message: max_message as u64,
            head: [0; LONGEST_HEAD],
            head_length: 0,
            frame: None,
            fragmented: None,
            message: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Reads up to the end of the next message, and takes what was read from `bytes`. `None` when the bytes end before
    /// the message.
    ///
    /// # Errors
    /// After an error, the stream cannot be read any more.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Received>, FrameError> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.read_head(bytes)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let length = usize::try_from(frame.missing).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = bytes.split_at(length);
            *bytes = rest;
            let buffer = if is_control(frame.opcode) { &mut self.control } else { &mut self.message };
            let missing = usize::try_from(frame.missing).unwrap_or(usize::MAX);
            reserve(buffer, payload.len(), missing, frame.is_final);
            append_unmasked(buffer, payload, frame.mask);
            let missing = frame.missing - length as u64;
            if missing > 0 {
                let mut mask = frame.mask;
                mask.rotate_left(length % 4);
                self.frame = Some(Frame { mask, missing, ..frame });
                return Ok(None);
            }
            self.frame = None;
            if let Some(received) = self.end_of_frame(frame)? {
                return Ok(Some(received));
            }
        }
    }

    /// The next frame, once all of its head has been read.
    fn read_head(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        while let Some((first, rest)) = bytes.split_first() {
            *bytes = rest;
            self.head[self.head_length] = *first;
            self.head_length += 1;
            let Some((length, mask)) = parse(&self.head[..self.head_length])? else { continue };
            self.head_length = 0;
            let (is_final, opcode) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
            self.begin_frame(opcode, is_final, length)?;
            let frame = Frame { opcode, is_final, mask, missing: length };
            self.frame = Some(frame);
            return Ok(Some(frame));
        }
        Ok(None)
    }

    fn begin_frame(&mut self, opcode: u8, is_final: bool, length: u64) -> Result<(), FrameError> {
        match (opcode, self.fragmented) {
            (CLOSE | PING | PONG, _) if !is_final || length > LONGEST_CONTROL => {
                Err(FrameError::Protocol("a control frame is fragmented or too long"))
            }
            (CLOSE | PING | PONG, _) => Ok(()),
            (CONTINUATION, None) => Err(FrameError::Protocol("a continuation frame continues no message")),
            (TEXT | BINARY, Some(_)) => Err(FrameError::Protocol("a message begins within another")),
            (CONTINUATION | TEXT | BINARY, _)
                if (self.message.len() as u64).saturating_add(length) > self.max_message =>
            {
                Err(FrameError::TooLarge)
            }
            (CONTINUATION, Some(_)) => Ok(()),
            (TEXT | BINARY, None) => {
                self.fragmented = Some(opcode);
                Ok(())
            }
            _ => Err(FrameError::Protocol("a frame has an unknown opcode")),
        }
    }

    fn end_of_frame(&mut self, frame: Frame) -> Result<Option<Received>, FrameError> {
        match frame.opcode {
            PING => Ok(Some(Received::Ping(std::mem::take(&mut self.control).into()))),
            PONG => {
                self.control = Vec::new();
                Ok(Some(Received::Pong))
            }
            CLOSE => close(&std::mem::take(&mut self.control)).map(|code| Some(Received::Close(code))),
            _ if !frame.is_final => Ok(None),
            _ => {
                let message = Bytes::from(std::mem::take(&mut self.message));
                match self.fragmented.take() {
                    Some(BINARY) => Ok(Some(Received::Binary(message))),
                    _ => match ByteString::try_from(message) {
                        Ok(text) => Ok(Some(Received::Text(text))),
                        Err(_) => Err(FrameError::InvalidText),
                    },
                }
            }
        }
    }
}

fn is_control(opcode: u8) -> bool {
    opcode & 0x08 != 0
}

/// The payload's length and mask, once all of the head is there.
fn parse(head: &[u8]) -> Result<Option<(u64, [u8; 4])>, FrameError> {
    let [first, second, extended @ ..] = head else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(FrameError::Protocol("a frame uses an extension that was not negotiated"));
    }
    if second & 0x80 == 0 {
        return Err(FrameError::Protocol("a frame is not masked"));
    }
    let (length, rest) = match (second & 0x7f, extended) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest),
        (126 | 127, _) => return Ok(None),
        (length, rest) => (u64::from(length), rest),
    };
    Ok(<[u8; 4]>::try_from(rest).ok().map(|mask| (length, mask)))
}

/// The code of a close frame.
fn close(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    match payload {
        [] => Ok(None),
        [_] => Err(FrameError::Protocol("a close frame has half a code")),
        [a, b, reason @ ..] => match u16::from_be_bytes([*a, *b]) {
            _ if std::str::from_utf8(reason).is_err() => Err(FrameError::InvalidText),
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
            _ => Err(FrameError::Protocol("a close frame has an invalid code")),
        },
    }
}

/// Makes room for a part of a frame of which `missing` bytes are left: twice the memory each time, as a vector does, but
/// in the last frame of a message no more than that needs.
fn reserve(buffer: &mut Vec<u8>, part: usize, missing: usize, is_last: bool) {
    if buffer.capacity() - buffer.len() >= part {
    } else if is_last {
        buffer.reserve_exact(missing.min(buffer.len().max(RESERVED)).max(part));
    } else {
        buffer.reserve(part);
    }
}

/// Appends a part of a payload.
fn append_unmasked(buffer: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    let begin = buffer.len();
    buffer.extend_from_slice(payload);
    let (words, rest) = buffer[begin..].as_chunks_mut::<4>();
    let word_mask = u32::from_ne_bytes(mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ word_mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameError, FrameReader, Received};

    const MAX: usize = 100_000;
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut head = [0; 10];
        let head = roomwire_core::packet::frame_head(first, payload.len(), &mut head);
        let mut frame = head.to_vec();
        frame[1] |= 0x80;
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn read_in_pieces(stream: &[u8], piece: usize) -> (Vec<Received>, Option<FrameError>) {
        let (mut reader, mut received) = (FrameReader::new(MAX), Vec::new());
        for mut bytes in stream.chunks(piece) {
            loop {
                match reader.read(&mut bytes) {
                    Ok(Some(message)) => received.push(message),
                    Ok(None) => break,
                    Err(error) => return (received, Some(error)),
                }
            }
            assert!(bytes.is_empty());
        }
        (received, None)
    }

    #[test]
    fn messages_arrive_however_their_bytes_are_cut() {
        let large = vec![b'x'; 70_000];
        let stream = [
            frame(0x81, b"42[\"a\"]"),
            frame(0x82, &[0, 255, 1]),
            frame(0x01, "gr\u{f6}".as_bytes()),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x80, "\u{df}e".as_bytes()),
            frame(0x81, b""),
            frame(0x8a, b"pong"),
            frame(0x82, &large),
            frame(0x82, &large[..300]),
            frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
        ]
        .concat();
        let expected = [
            Received::Text("42[\"a\"]".into()),
            Received::Binary(vec![0, 255, 1].into()),
            Received::Ping("ping".into()),
            Received::Text("gr\u{f6}\u{df}e".into()),
            Received::Text("".into()),
            Received::Pong,
            Received::Binary(large.clone().into()),
            Received::Binary(large[..300].to_vec().into()),
            Received::Close(Some(1000)),
        ];
        for piece in [1, 2, 3, 5, 7, 13, 4096, stream.len()] {
            assert_eq!(read_in_pieces(&stream, piece), (expected.to_vec(), None), "in pieces of {piece}");
        }
    }

    #[test]
    fn frames_that_break_the_protocol_are_errors() {
        let mut unmasked = frame(0x81, b"");
        unmasked[1] = 0;
        for stream in [
            unmasked,
            frame(0xc1, b""),
            frame(0x83, b""),
            frame(0x8b, b""),
            frame(0x80, b""),
            frame(0x09, b""),
            frame(0x89, &[0; 126]),
            [frame(0x01, b""), frame(0x81, b"")].concat(),
            frame(0x88, &[3]),
            frame(0x88, &[3, 0xed]),
            frame(0x88, &[0, 1]),
        ] {
            let (received, error) = read_in_pieces(&stream, 1);
            assert!(matches!(error, Some(FrameError::Protocol(_))), "{stream:02x?}: {error:?}");
            assert_eq!(received, []);
        }
        for stream in [frame(0x81, &[0xff]), frame(0x88, &[3, 0xe8, 0xff]), frame(0x81, &[0xf0, 0x9f, 0x8e])] {
            assert_eq!(read_in_pieces(&stream, 1).1, Some(FrameError::InvalidText));
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_an_error_at_the_head_of_the_frame() {
        let too_large = frame(0x82, &vec![0; MAX + 1]);
        assert_eq!(read_in_pieces(&too_large[..14], 14), (vec![], Some(FrameError::TooLarge)));
        assert_eq!(read_in_pieces(&frame(0x82, &vec![0; MAX]), 4096).0.len(), 1);
        let fragments = [frame(0x02, &vec![0; MAX]), frame(0x89, b"x"), frame(0x80, b"y")].concat();
        assert_eq!(read_in_pieces(&fragments, 4096).1, Some(FrameError::TooLarge));
        let longest = [&[0x82, 0xff][..], &[0xff; 8], &MASK].concat();
        assert_eq!(read_in_pieces(&longest, 1).1, Some(FrameError::TooLarge));
    }

    #[test]
    fn an_announced_length_reserves_no_memory_for_bytes_that_do_not_arrive() {
        let mut reader = FrameReader::new(usize::MAX);
        let head = [&[0x82, 0xff][..], &[0, 0, 0, 0x7f, 0, 0, 0, 0], &MASK, b"x"].concat();
        assert_eq!(reader.read(&mut &*head), Ok(None));
        assert!(reader.message.capacity() <= super::RESERVED);
    }
}
