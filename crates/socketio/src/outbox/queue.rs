//! Messages beyond those that the transport writes next.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

/// Messages in sending order. A message with a key replaces the queued one with the same key, at its place.
///
/// Only messages without a key count as waiting. Those with a key are bounded by dropping the oldest.
#[derive(Debug)]
pub(super) struct ConflatingQueue<K, M> {
    waiting: BTreeMap<u64, Entry<K, M>>,
    next: u64,
    /// Where the message of each key waits.
    positions: HashMap<K, u64>,
    /// The positions of messages with keys, and their bytes.
    replaceable: BTreeSet<u64>,
    replaceable_bytes: usize,
    /// Of the messages without keys.
    packets: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<K, M> {
    key: Option<K>,
    bytes: usize,
    message: M,
}

/// What became of a message with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// It took the place of an older one.
    pub(super) replaced: bool,
    /// So many of other keys were dropped.
    pub(super) dropped: usize,
}

impl<K, M> Default for ConflatingQueue<K, M> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            next: 0,
            positions: HashMap::new(),
            replaceable: BTreeSet::new(),
            replaceable_bytes: 0,
            packets: 0,
            bytes: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, M> ConflatingQueue<K, M> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many messages without a key wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.packets, self.bytes)
    }

    pub(super) fn push(&mut self, bytes: usize, message: M) {
        self.packets += 1;
        self.bytes += bytes;
        self.append(Entry { key: None, bytes, message });
    }

    /// Keeps at most `most` messages with keys, and of these at most `most_bytes` bytes, but always the newest.
    pub(super) fn push_latest(&mut self, key: &K, bytes: usize, message: M, most: usize, most_bytes: usize) -> Kept {
        self.replaceable_bytes += bytes;
        let older = self.positions.get(key).and_then(|position| self.waiting.get_mut(position));
        let replaced = if let Some(entry) = older {
            self.replaceable_bytes -= entry.bytes;
            (entry.bytes, entry.message) = (bytes, message);
            true
        } else {
            let position = self.append(Entry { key: Some(key.clone()), bytes, message });
            self.positions.insert(key.clone(), position);
            self.replaceable.insert(position);
            false
        };
        let mut dropped = 0;
        while (self.replaceable.len() > most || self.replaceable_bytes > most_bytes)
            && let Some(position) =
                self.replaceable.iter().copied().find(|position| self.positions.get(key) != Some(position))
        {
            self.take(position);
            dropped += 1;
        }
        Kept { replaced, dropped }
    }

    pub(super) fn take_first(&mut self) -> Option<M> {
        let position = *self.waiting.keys().next()?;
        self.take(position)
    }

    /// Forgets all messages of which this does not hold.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&M) -> bool) {
        let gone: Vec<u64> =
            self.waiting.iter().filter(|(_, entry)| !stays(&entry.message)).map(|(position, _)| *position).collect();
        for position in gone {
            self.take(position);
        }
    }

    fn append(&mut self, entry: Entry<K, M>) -> u64 {
        let position = self.next;
        self.next += 1;
        self.waiting.insert(position, entry);
        position
    }

    fn take(&mut self, position: u64) -> Option<M> {
        let Entry { key, bytes, message } = self.waiting.remove(&position)?;
        match key {
            Some(key) => {
                self.positions.remove(&key);
                self.replaceable.remove(&position);
                self.replaceable_bytes -= bytes;
            }
            None => {
                self.packets -= 1;
                self.bytes -= bytes;
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConflatingQueue, Kept};

    const ONE: usize = 10;

    fn all(mut overflow: ConflatingQueue<&str, u32>) -> Vec<u32> {
        std::iter::from_fn(|| overflow.take_first()).collect()
    }

    #[test]
    fn the_newest_of_a_key_is_sent_in_the_turn_of_the_first() {
        let mut overflow = ConflatingQueue::default();
        overflow.push(ONE, 1);
        assert_eq!(overflow.push_latest(&"a", ONE, 2, 9, 999), Kept { replaced: false, dropped: 0 });
        overflow.push(ONE, 3);
        overflow.push_latest(&"b", ONE, 4, 9, 999);
        assert_eq!(overflow.push_latest(&"a", ONE, 5, 9, 999), Kept { replaced: true, dropped: 0 });
        assert_eq!(overflow.waiting(), (2, 20), "what can be replaced does not count");
        assert_eq!(overflow.take_first(), Some(1));
        assert_eq!(overflow.take_first(), Some(5));
        overflow.push_latest(&"a", ONE, 6, 9, 999);
        assert_eq!(all(overflow), [3, 4, 6]);
    }

    #[test]
    fn of_too_many_keys_those_that_wait_longest_are_dropped_and_nothing_else() {
        let mut overflow = ConflatingQueue::default();
        overflow.push(ONE, 0);
        let names: Vec<String> = (1..=1000).map(|number| number.to_string()).collect();
        let mut dropped = 0;
        for (number, name) in (1..).zip(&names) {
            dropped += overflow.push_latest(&name.as_str(), ONE, number, 3, 999).dropped;
        }
        assert_eq!(dropped, 997);
        assert_eq!(overflow.waiting.len(), 4, "no trace is left of what was dropped");
        assert_eq!(all(overflow), [0, 998, 999, 1000]);
    }

    #[test]
    fn of_too_many_bytes_the_newest_stays_though_it_is_too_large_alone() {
        let mut overflow = ConflatingQueue::default();
        overflow.push_latest(&"a", ONE, 1, 9, 25);
        overflow.push_latest(&"b", ONE, 2, 9, 25);
        assert_eq!(overflow.push_latest(&"a", 30, 3, 9, 25), Kept { replaced: true, dropped: 1 });
        assert_eq!(overflow.replaceable_bytes, 30);
        assert_eq!(all(overflow), [3]);
    }

    #[test]
    fn what_is_forgotten_is_not_counted_any_more() {
        let mut overflow = ConflatingQueue::default();
        overflow.push(ONE, 1);
        overflow.push(ONE, 2);
        overflow.push_latest(&"a", ONE, 3, 9, 999);
        overflow.retain(|message| *message == 2);
        assert_eq!((overflow.waiting(), overflow.replaceable_bytes), ((1, 10), 0));
        overflow.push_latest(&"a", ONE, 4, 9, 999);
        assert_eq!(all(overflow), [2, 4]);
    }
}
