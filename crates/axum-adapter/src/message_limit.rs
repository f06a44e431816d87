//! The largest message that a websocket may carry, and how a client learns that it sent a larger one.
//!
//! The engine ends a connection with a larger message without a word. This reads along: it drops the message and gives
//! the engine a Close frame in its place, which the engine answers. The client then sees close code 1009 and the
//! reason.

/// The longest head of a client's frame: kind, length, mask.
const LONGEST_HEAD: usize = 2 + 8 + 4;

/// A message up to so many times the limit is read to its end before the connection is closed: a client that is still
/// sending may not see why.
const DISCARDED: u64 = 4;

/// The reason that the client sees: close code 1009, "message too big".
const REASON: &[u8] = b"PAYLOAD_TOO_LARGE: the message is larger than limits.payload allows";
const TOO_BIG: u16 = 1009;

/// Reads along with what a client sends.
#[derive(Debug)]
pub(crate) struct MessageLimit {
    max: u64,
    head: [u8; LONGEST_HEAD],
    known: usize,
    /// The bytes that are left of the current frame, once its head is known.
    missing: u64,
    /// The size of the message so far, with that frame.
    message: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Every message so far is within the limit.
    Within,
    /// So many bytes of the message are yet to be dropped.
    Discarding(u64),
    /// So many bytes of the Close frame were given.
    Closing(usize),
    /// The engine sees the message, and ends the connection by itself.
    Passing,
}

/// What becomes of bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The engine gets them.
    Pass,
    /// The engine gets the first of them. The rest, and all that follows, is dropped.
    Cut(usize),
    /// A message is too large. The engine gets them, and ends the connection.
    TooLarge,
}

impl MessageLimit {
    /// A message may have so many bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max as u64, head: [0; LONGEST_HEAD], known: 0, missing: 0, message: 0, state: State::Within }
    }

    /// Whether bytes are dropped.
    pub(crate) fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discarding(_) | State::Closing(_))
    }

    /// Looks at bytes that were read.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Verdict {
        match &mut self.state {
            State::Within => self.look(bytes),
            State::Discarding(left) => {
                *left = left.saturating_sub(bytes.len() as u64);
                if *left == 0 {
                    self.state = State::Closing(0);
                }
                Verdict::Cut(0)
            }
            State::Closing(_) => Verdict::Cut(0),
            State::Passing => Verdict::Pass,
        }
    }

    /// The next bytes of the Close frame, at most so many; none before its time and after its end.
    pub(crate) fn close_frame(&mut self, most: usize) -> Vec<u8> {
        let State::Closing(given) = &mut self.state else { return Vec::new() };
        // Masked with zeros, as a client's frames must be.
        let length = 0x80 | (2 + REASON.len()) as u8;
        let frame = [&[0x88, length, 0, 0, 0, 0][..], &TOO_BIG.to_be_bytes(), REASON].concat();
        let piece: Vec<u8> = frame.into_iter().skip(*given).take(most).collect();
        *given += piece.len();
        piece
    }

    fn look(&mut self, bytes: &[u8]) -> Verdict {
        let mut at = 0;
        // Where the head begins, when all of it is in these bytes.
        let mut begin = (self.known == 0).then_some(0);
        while at < bytes.len() {
            if self.missing > 0 {
                let taken = usize::try_from(self.missing).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.missing -= taken as u64;
                at += taken;
                begin = Some(at);
                continue;
            }
            self.head[self.known] = bytes[at];
            self.known += 1;
            at += 1;
            let Some(length) = self.length() else { continue };
            let (is_last, is_data) = (self.head[0] & 0x80 != 0, self.head[0] & 0x08 == 0);
            self.known = 0;
            self.missing = length;
            if is_data {
                self.message = self.message.saturating_add(length);
                if self.message > self.max {
                    let rest = length.saturating_sub((bytes.len() - at) as u64);
                    return self.too_large(begin, rest);
                }
                if is_last {
                    self.message = 0;
                }
            }
            if self.missing == 0 {
                begin = Some(at);
            }
        }
        Verdict::Pass
    }

    /// `begin` is where the frame's head begins, `rest` how much of the frame was not read yet.
    fn too_large(&mut self, begin: Option<usize>, rest: u64) -> Verdict {
        match begin {
            Some(begin) => {
                let is_short = self.message <= self.max.saturating_mul(DISCARDED);
                self.state = if is_short && rest > 0 { State::Discarding(rest) } else { State::Closing(0) };
                Verdict::Cut(begin)
            }
            // The engine has a part of the head already.
            None => {
                self.state = State::Passing;
                Verdict::TooLarge
            }
        }
    }

    /// The length in the head, once all of the head is known.
    fn length(&self) -> Option<u64> {
        let head = &self.head[..self.known];
        let (length, end) = match head {
            [_, second, a, b, ..] if second & 0x7f == 126 => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            [_, second, a, b, c, d, e, f, g, h, ..] if second & 0x7f == 127 => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10)
            }
            [_, second, ..] if second & 0x7f < 126 => (u64::from(second & 0x7f), 2),
            _ => return None,
        };
        let mask = if head[1] & 0x80 == 0 { 0 } else { 4 };
        (head.len() == end + mask).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::{DISCARDED, MessageLimit, REASON, Verdict};

    const MAX: usize = 1000;

    /// A frame of a client, masked with zeros.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let length = match payload {
            0..126 => vec![0x80 | payload as u8],
            126..65_536 => [vec![0x80 | 126], (payload as u16).to_be_bytes().to_vec()].concat(),
            _ => [vec![0x80 | 127], (payload as u64).to_be_bytes().to_vec()].concat(),
        };
        [vec![first], length, vec![0; 4], vec![b'x'; payload]].concat()
    }

    fn text(payload: usize) -> Vec<u8> {
        frame(0x81, payload)
    }

    /// What the engine gets of a stream that comes in pieces of this size.
    fn passed(stream: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut limit, mut passed, mut too_large) = (MessageLimit::new(MAX), Vec::new(), false);
        for bytes in stream.chunks(piece) {
            let verdict = limit.read(bytes);
            too_large |= verdict == Verdict::TooLarge;
            passed.extend(match verdict {
                Verdict::Pass | Verdict::TooLarge => bytes,
                Verdict::Cut(at) => &bytes[..at],
            });
            loop {
                let close = limit.close_frame(7);
                if close.is_empty() {
                    break;
                }
                passed.extend(close);
            }
        }
        (passed, too_large)
    }

    fn close() -> Vec<u8> {
        [&[0x88, 0x80 | (2 + REASON.len()) as u8, 0, 0, 0, 0, 0x03, 0xf1][..], REASON].concat()
    }

    #[test]
    fn messages_within_the_limit_pass_however_they_are_cut() {
        let fragments = [frame(0x01, 400), frame(0x89, 5), frame(0x00, 300), frame(0x80, 300)].concat();
        let stream = [text(MAX), text(0), text(125), text(126), frame(0x82, MAX), fragments, text(3)].concat();
        for piece in [1, 2, 3, 7, 100, 4096] {
            assert_eq!(passed(&stream, piece), (stream.clone(), false), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_larger_message_is_dropped_and_the_connection_is_closed_in_its_place() {
        let large = text(MAX + 1);
        for (before, after) in [(vec![], vec![]), (text(10), text(10)), (text(MAX), vec![])] {
            let stream = [before.clone(), large.clone(), after].concat();
            assert_eq!(passed(&stream, stream.len()), ([before, close()].concat(), false));
        }
        let by_fragments = [frame(0x01, 600), frame(0x80, 401)].concat();
        assert_eq!(passed(&by_fragments, 4096), ([frame(0x01, 600), close()].concat(), false));
    }

    #[test]
    fn the_connection_is_closed_when_the_message_was_read_or_at_once_when_it_is_far_too_large() {
        let mut limit = MessageLimit::new(MAX);
        let large = text(MAX + 1);
        assert_eq!(limit.read(&large[..500]), Verdict::Cut(0));
        assert_eq!(limit.read(&large[500..large.len() - 1]), Verdict::Cut(0));
        assert!(limit.is_discarding() && limit.close_frame(1000).is_empty(), "its end was not read yet");
        assert_eq!(limit.read(&large[large.len() - 1..]), Verdict::Cut(0));
        assert_eq!(limit.close_frame(1000), close());
        assert!(limit.close_frame(1000).is_empty(), "once");

        let mut limit = MessageLimit::new(MAX);
        let huge = text(MAX * DISCARDED as usize + 1);
        assert_eq!(limit.read(&huge[..500]), Verdict::Cut(0));
        assert_eq!(limit.close_frame(1000), close());
        let mut limit = MessageLimit::new(MAX);
        assert_eq!(limit.read(&[[0x82, 0xff].as_slice(), &[0x7f; 8], &[0; 4]].concat()), Verdict::Cut(0));
        assert_eq!(limit.close_frame(1000), close(), "the largest length there is");
    }

    #[test]
    fn a_head_of_which_the_engine_has_a_part_is_left_to_the_engine() {
        let large = text(MAX + 1);
        for piece in [1, 2, 5] {
            assert_eq!(passed(&large, piece), (large.clone(), true), "in pieces of {piece}");
        }
    }
}
