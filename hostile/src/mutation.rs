//! Valid traffic, mutated at random and again in the same way for the same seed.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{corpus::VALID, frame, head};

/// Makes mutations.
#[derive(Debug)]
pub struct Mutator(StdRng);

/// Characters that mean something to some parser.
const TELLING: &[u8] = b"0123456789[]{}\",:-/\\bu\x1e\0\xff\xc3";

/// Pieces that mean something to some parser.
const PIECES: [&str; 12] = [
    "99999999999999999999",
    "-",
    "1e400",
    r#"{"_placeholder":true,"num":1}"#,
    "\\ud800",
    "\u{202e}",
    "\r\n",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "/nowhere,",
    "51-",
    "null",
    "\u{1e}",
];

impl Mutator {
    /// The same seed makes the same mutations.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// The next one, as bytes of a websocket, or as the body of a request.
    pub fn mutation(&mut self) -> Mutation {
        let valid = VALID[self.0.random_range(0..VALID.len())];
        let mut bytes = valid.as_bytes().to_vec();
        // The head of a packet is short and would hardly ever be hit; the heads of frames, and packet types, are even
        // shorter, and mostly end the connection.
        let from = match self.0.random_range(0..100) {
            0..2 => return Mutation { websocket: self.of_frame(valid), body: None },
            2..6 => 0,
            6..12 => 1.min(bytes.len() - 1),
            _ => valid.find('[').map_or(0, |at| at + 1),
        };
        for _ in 0..self.0.random_range(1..=3) {
            self.mutate(&mut bytes, from);
        }
        let binary = self.0.random_ratio(1, 200);
        let websocket = [head(if binary { 2 } else { 1 }, bytes.len()), bytes.clone()].concat();
        Mutation { websocket, body: Some(bytes) }
    }

    fn of_frame(&mut self, valid: &str) -> Vec<u8> {
        let mut bytes = frame(valid);
        let at = self.0.random_range(0..6.min(bytes.len()));
        bytes[at] ^= 1 << self.0.random_range(0..8);
        bytes
    }

    /// Changes something at or behind this place.
    fn mutate(&mut self, bytes: &mut Vec<u8>, from: usize) {
        let from = from.min(bytes.len());
        let at = self.0.random_range(from..=bytes.len());
        let telling = TELLING[self.0.random_range(0..TELLING.len())];
        match self.0.random_range(0..8) {
            0 | 1 if at < bytes.len() => bytes[at] = telling,
            2 if at < bytes.len() => bytes[at] ^= 1 << self.0.random_range(0..8),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at.max(1)),
            5 => {
                let piece = PIECES[self.0.random_range(0..PIECES.len())];
                drop(bytes.splice(at..at, piece.bytes()));
            }
            6 => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
            _ => bytes.insert(at, telling),
        }
    }
}

/// A message that some client might send by mistake.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// As bytes of a websocket.
    pub websocket: Vec<u8>,
    /// As the body of a request; none when the websocket itself is at fault.
    pub body: Option<Vec<u8>>,
}

impl Mutation {
    /// Whether the server may well end the connection because of it. It is only a guess.
    #[must_use]
    pub fn is_harsh(&self) -> bool {
        let Some(body) = &self.body else { return true };
        let Ok(text) = std::str::from_utf8(body) else { return true };
        if self.websocket[0] != 0x81 {
            return true;
        }
        let Some(rest) = text.strip_prefix("42").or_else(|| text.strip_prefix("43")) else { return text != "3" };
        let rest = rest.strip_prefix("/,").unwrap_or(rest);
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        text.starts_with("42") && !(rest.starts_with("[\"") && rest.ends_with(']') && rest.matches('"').count() >= 2)
    }
}

#[cfg(test)]
mod tests {
    use super::Mutator;

    #[test]
    fn the_same_seed_makes_the_same_mutations_and_most_of_them_are_different() {
        let mutations = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..1000).map(|_| mutator.mutation().websocket).collect::<Vec<_>>()
        };
        assert_eq!(mutations(7), mutations(7));
        let different: std::collections::HashSet<_> = mutations(7).into_iter().chain(mutations(8)).collect();
        assert!(different.len() > 1500, "{}", different.len());
    }
}
