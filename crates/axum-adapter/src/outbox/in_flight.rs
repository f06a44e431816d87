//! Messages that the engine has and has not written yet.

use std::collections::VecDeque;

use super::Load;

/// Messages that were handed to the engine, in order, until all their frames were written.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: VecDeque<Load>,
    bytes: usize,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many messages, and how many bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.messages.len(), self.bytes)
    }

    pub(super) fn add(&mut self, load: Load) {
        self.messages.push_back(load);
        self.bytes += load.bytes;
    }

    /// So many frames were written.
    pub(super) fn written(&mut self, mut frames: u32) {
        while frames > 0
            && let Some(first) = self.messages.front_mut()
        {
            if first.frames > frames {
                first.frames -= frames;
                return;
            }
            frames -= first.frames;
            self.bytes -= first.bytes;
            self.messages.pop_front();
        }
        if self.messages.is_empty() {
            // A client that was behind once need not be remembered for it.
            self.messages.shrink_to(KEPT);
        }
    }
}

/// For how many messages there is room without being behind.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::{InFlight, Load};

    #[test]
    fn a_message_is_on_its_way_until_its_last_attachment_was_written() {
        let mut in_flight = InFlight::default();
        in_flight.add(Load { frames: 1, bytes: 5 });
        in_flight.add(Load { frames: 3, bytes: 70 });
        in_flight.written(2);
        assert_eq!(in_flight.waiting(), (1, 70));
        in_flight.written(1);
        assert_eq!(in_flight.waiting(), (1, 70));
        in_flight.written(1);
        assert_eq!(in_flight.waiting(), (0, 0));
        in_flight.written(1);
        assert!(in_flight.is_empty());
    }
}
