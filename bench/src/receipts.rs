//! The messages that one member of a room has received.

use std::collections::BTreeSet;

use anyhow::ensure;

/// Each message is received once. The order is counted, not demanded: socketioxide runs the events of a client
/// concurrently, so that messages in flight at the same time may overtake each other.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// All messages before this number have been received.
    next: usize,
    /// Those received early.
    ahead: BTreeSet<usize>,
}

impl Receipts {
    /// Notes a message; returns true if an earlier one is still missing.
    pub(crate) fn note(&mut self, number: usize) -> anyhow::Result<bool> {
        ensure!(number >= self.next && self.ahead.insert(number), "message {number} arrived twice");
        while self.ahead.remove(&self.next) {
            self.next += 1;
        }
        Ok(number >= self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::Receipts;

    #[test]
    fn messages_may_overtake_each_other() {
        let mut receipts = Receipts::default();
        let early: Vec<_> = [0, 2, 3, 1, 4].map(|number| receipts.note(number).expect("it is new")).into();
        assert_eq!(early, [false, true, true, false, false]);
        assert!(receipts.ahead.is_empty());
    }

    #[test]
    fn a_message_arrives_once() {
        let mut receipts = Receipts::default();
        for number in [0, 2] {
            receipts.note(number).expect("it is new");
            assert!(receipts.note(number).is_err());
        }
    }
}
