//! Valid traffic, mutated at random and again in the same way for the same seed.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use serde::de::IgnoredAny;

use crate::{
    corpus::{EVENTS, OTHERS, PACED},
    frame, head, values,
};

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

    /// The next one.
    ///
    /// Most keep to what a connection hangs on, and break what a handler hangs on: those cost the sender nothing but an
    /// answer, and many go over one connection. The others break what any parser on the way hangs on, the frame, the
    /// type, the head of a packet, its JSON.
    pub fn mutation(&mut self) -> Mutation {
        let valid = match self.0.random_range(0..1000) {
            0 => self.one_of(&PACED),
            1..6 => self.one_of(&OTHERS),
            _ => self.one_of(&EVENTS),
        };
        match self.0.random_range(0..1000) {
            0..5 => Mutation { websocket: self.of_frame(valid), body: None },
            5..10 => self.of_text(valid, 0),
            10..15 => self.of_text(valid, 1),
            15..25 => self.of_text(valid, valid.find('[').map_or(0, |at| at + 1)),
            _ => self.of_values(valid),
        }
    }

    fn of_values(&mut self, valid: &str) -> Mutation {
        let head = valid.find(['[', '{']).unwrap_or(valid.len());
        let Ok(mut values) = serde_json::from_str(&valid[head..]) else { return self.of_text(valid, 0) };
        for _ in 0..self.0.random_range(1..=3) {
            values::mutate_event(&mut self.0, &mut values);
        }
        self.of_bytes(format!("{}{values}", &valid[..head]).into_bytes(), 1)
    }

    fn of_text(&mut self, valid: &str, from: usize) -> Mutation {
        let mut bytes = valid.as_bytes().to_vec();
        for _ in 0..self.0.random_range(1..=3) {
            self.mutate(&mut bytes, from);
        }
        if self.0.random_ratio(9, 10) {
            // Otherwise most are not even text.
            bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
        }
        let opcode = if self.0.random_ratio(1, 20) { 2 } else { 1 };
        self.of_bytes(bytes, opcode)
    }

    fn of_bytes(&mut self, bytes: Vec<u8>, opcode: u8) -> Mutation {
        let mut websocket = [head(opcode, bytes.len()), bytes.clone()].concat();
        if bytes.starts_with(b"45") {
            // As many bytes as belong to it, or not.
            let attachments = self.0.random_range(0..=2);
            (0..attachments).for_each(|_| websocket.extend([&head(2, 3)[..], &[1, 2, 3]].concat()));
        }
        Mutation { websocket, body: Some(bytes) }
    }

    fn one_of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.0.random_range(0..some.len())]
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
        let telling = self.one_of(TELLING);
        match self.0.random_range(0..8) {
            0 | 1 if at < bytes.len() => bytes[at] = telling,
            2 if at < bytes.len() => bytes[at] ^= 1 << self.0.random_range(0..8),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at.max(1)),
            5 => {
                let piece = self.one_of(&PIECES);
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
        let text = self.body.as_deref().and_then(|body| std::str::from_utf8(body).ok());
        let Some(event) = text.and_then(|text| text.strip_prefix("42")).filter(|_| self.websocket[0] == 0x81) else {
            return true;
        };
        let event = event.strip_prefix("/,").unwrap_or(event);
        let values = event.trim_start_matches(|digit: char| digit.is_ascii_digit());
        if event.len() - values.len() > 9 {
            return true;
        }
        // The engine takes no name that is written with an escape.
        let written = values.strip_prefix("[\"").and_then(|rest| rest.split('"').next());
        written.is_none_or(|name| name.contains('\\')) || serde_json::from_str::<IgnoredAny>(values).is_err()
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
        assert!(different.len() > 1200, "{}", different.len());
    }
}
