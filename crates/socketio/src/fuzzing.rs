//! What random bytes are given to; built for that alone (`--cfg fuzzing`).

use crate::websocket::frame_reader::{FrameError, FrameReader, Received};

const MAX_MESSAGE: usize = 1000;

/// The frames of a client, in pieces of this size.
///
/// # Panics
/// When the messages depend on where the bytes are cut, or are larger than allowed.
pub fn frames(piece: u8, bytes: &[u8]) {
    let whole = read(bytes, usize::MAX);
    assert_eq!(read(bytes, usize::from(piece).max(1)), whole);
    for received in whole.0 {
        match received {
            Received::Text(text) => assert!(text.len() <= MAX_MESSAGE),
            Received::Binary(bytes) => assert!(bytes.len() <= MAX_MESSAGE),
            Received::Ping(payload) => assert!(payload.len() <= 125),
            Received::Pong | Received::Close(_) => {}
        }
    }
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Received>, Option<FrameError>) {
    let (mut reader, mut received) = (FrameReader::new(MAX_MESSAGE), Vec::new());
    for mut piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => received.push(message),
                Ok(None) => break,
                Err(error) => return (received, Some(error)),
            }
        }
    }
    (received, None)
}
