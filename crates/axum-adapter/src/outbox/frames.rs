//! Finds the ends of the service's messages in the bytes of a websocket.

use memchr::memmem;

/// A text frame with the Engine.IO packet that closes a session.
pub(crate) const CLOSE_PACKET: &[u8] = b"\x81\x011";

/// The longest head of a server's frame, plus the first two characters of its payload, which tell the service's
/// messages from the engine's packets.
const HEAD: usize = 10 + 2;

/// Parses the bytes that are written to a websocket and counts the frames that carry events, acknowledgements and their
/// attachments: those that were handed to the engine, without the engine's own packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    known: usize,
    /// The bytes that are left of the current frame, once its head is known.
    missing: u64,
    ours: bool,
}

impl Frames {
    /// Returns how many of the service's frames end within these bytes.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> u32 {
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.missing > 0 {
                let taken = bytes.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                self.missing -= taken as u64;
                bytes = &bytes[taken..];
            } else {
                self.head[self.known] = bytes[0];
                self.known += 1;
                bytes = &bytes[1..];
                self.look();
            }
            if self.missing == 0 && self.known == 0 {
                ended += u32::from(std::mem::take(&mut self.ours));
            }
        }
        ended
    }

    /// Where in the next bytes the frame of a [`CLOSE_PACKET`] begins.
    pub(crate) fn find_close_packet(&self, bytes: &[u8]) -> Option<usize> {
        let (mut frames, mut read) = (self.clone(), 0);
        memmem::find_iter(bytes, CLOSE_PACKET).find(|at| {
            frames.read(&bytes[read..*at]);
            read = *at;
            frames.missing == 0 && frames.known == 0
        })
    }

    /// Parses the head, once enough of it has been read.
    fn look(&mut self) {
        let head = &self.head[..self.known];
        let (length, begin) = match head {
            [_, 126, a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            [_, 127, a, b, c, d, e, f, g, h, ..] => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
            [_, 126 | 127, ..] | [] | [_] => return,
            [_, length, ..] => (u64::from(*length), 2),
        };
        let payload = &head[begin..];
        if (payload.len() as u64) < length.min(2) {
            return;
        }
        self.ours = match head[0] & 0x0f {
            1 => is_ours(payload),
            // The engine sends nothing binary of its own.
            2 => true,
            _ => false,
        };
        self.missing = length - payload.len() as u64;
        self.known = 0;
    }
}

/// Whether an engine.io packet is an event or an acknowledgement: connecting, refusing and leaving are the library's.
pub(super) fn is_ours(packet: &[u8]) -> bool {
    matches!(packet, [b'4', b'2' | b'3' | b'5' | b'6', ..])
}

#[cfg(test)]
mod tests {
    use super::{CLOSE_PACKET, Frames};

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = match payload.len() {
            short @ 0..126 => vec![short as u8],
            middle @ 126..65_536 => [vec![126], (middle as u16).to_be_bytes().to_vec()].concat(),
            long => [vec![127], (long as u64).to_be_bytes().to_vec()].concat(),
        };
        [vec![0x80 | kind], length, payload.to_vec()].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        frame(1, text.as_bytes())
    }

    #[test]
    fn events_acknowledgements_and_attachments_are_counted_and_nothing_else() {
        for ours in ["42[]", "431[]", "451-[]", "461-1[]", &format!("42{}", "x".repeat(300)), &"42".repeat(40_000)] {
            assert_eq!(Frames::default().read(&text(ours)), 1, "{}", &ours[..4]);
        }
        assert_eq!(Frames::default().read(&frame(2, b"")), 1);
        assert_eq!(Frames::default().read(&frame(2, b"x")), 1);
        for theirs in ["", "2", "3probe", "0{}", "40{}", "41", "44{}", "1", "4"] {
            assert_eq!(Frames::default().read(&text(theirs)), 0, "{theirs}");
        }
        assert_eq!(Frames::default().read(&frame(9, b"42")), 0);
    }

    #[test]
    fn a_frame_counts_when_its_last_byte_was_written_however_it_is_cut() {
        let stream = [
            text("40{}"),
            text(&format!("42{}", "x".repeat(70_000))),
            text("2"),
            text("451-[]"),
            frame(2, &[b'x'; 126]),
            frame(8, &[3, 232]),
            text("42[]"),
        ]
        .concat();
        assert_eq!(Frames::default().read(&stream[..stream.len() - 1]), 3);
        for piece in [1, 2, 3, 7, 11, 13, 4096] {
            let mut frames = Frames::default();
            let counts: Vec<_> = stream.chunks(piece).map(|bytes| frames.read(bytes)).collect();
            assert_eq!(counts.iter().sum::<u32>(), 4, "in pieces of {piece}");
            assert_eq!(frames.read(&text("42[]")), 1, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_close_packet_is_found_between_frames_and_not_within_one() {
        let data = frame(2, &[CLOSE_PACKET, CLOSE_PACKET].concat());
        let text = text("42[]");
        assert_eq!(Frames::default().find_close_packet(&data), None);
        let stream = [&data, &text, CLOSE_PACKET, &frame(8, &[])].concat();
        let begin = data.len() + text.len();
        assert_eq!(Frames::default().find_close_packet(&stream), Some(begin));
        for cut in 1..begin {
            let mut frames = Frames::default();
            frames.read(&stream[..cut]);
            assert_eq!(frames.find_close_packet(&stream[cut..]), Some(begin - cut), "after {cut} bytes");
        }
    }
}
