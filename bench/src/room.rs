//! The messages of one room: numbered, checked on receipt, and timed.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::receipts::Receipts;

/// Digits at the end of a message that are its number.
const DIGITS: usize = 10;

/// The name of a room in all workloads.
pub(crate) fn room_name(number: usize) -> String {
    format!("room-{number}")
}

/// What the members of a room have in common.
pub(crate) struct Room {
    name: String,
    members: usize,
    payload: usize,
    /// Messages that may be sent now. A permit is returned when a message has reached all members.
    in_flight: Semaphore,
    /// To the member that sends.
    sender: mpsc::Sender<Utf8Bytes>,
    progress: Mutex<Progress>,
}

struct Progress {
    /// Receipts of all members together.
    delivered: usize,
    /// Those of them before the receipt of an earlier message.
    early: usize,
    /// The time of each message.
    sent: Vec<Instant>,
    /// In microseconds.
    latencies: Histogram<u64>,
}

impl Room {
    pub(crate) fn new(
        name: String,
        members: usize,
        in_flight: usize,
        payload: usize,
        sender: mpsc::Sender<Utf8Bytes>,
    ) -> Self {
        let latencies = Histogram::new(3).unwrap_or_else(|error| unreachable!("three digits are allowed: {error}"));
        let progress = Mutex::new(Progress { delivered: 0, early: 0, sent: Vec::new(), latencies });
        Self { name, members, payload: payload.max(DIGITS), in_flight: Semaphore::new(in_flight), sender, progress }
    }

    /// Has so many messages sent and waits until all members have all of them.
    pub(crate) async fn send(&self, messages: usize) -> anyhow::Result<()> {
        let all = u32::try_from(self.in_flight.available_permits())?;
        let first = {
            let mut progress = self.progress();
            progress.latencies.reset();
            progress.sent.len()
        };
        for number in first..first + messages {
            self.in_flight.acquire().await?.forget();
            let message = format!("{number:0>width$}", width = self.payload);
            let text = format!(r#"42["say",{{"room":"{}","message":"{message}"}}]"#, self.name);
            self.sender.send(text.into()).await.context("the sender is gone")?;
        }
        drop(self.in_flight.acquire_many(all).await?);
        Ok(())
    }

    /// The sender is about to send the next message.
    pub(crate) fn sending(&self) {
        self.progress().sent.push(Instant::now());
    }

    /// A member received a message, which must be complete and new to it.
    pub(crate) fn received(&self, receipts: &mut Receipts, message: &str) -> anyhow::Result<()> {
        ensure!(message.len() == self.payload, "a message of {} bytes arrived", message.len());
        let number: usize = message[self.payload - DIGITS..].parse().context("a message without a number arrived")?;
        let early = receipts.note(number)?;
        let mut progress = self.progress();
        let sent = progress.sent.get(number).context("a message arrived before it was sent")?;
        let latency = u64::try_from(sent.elapsed().as_micros())?;
        progress.latencies.record(latency)?;
        progress.early += usize::from(early);
        progress.delivered += 1;
        if progress.delivered.is_multiple_of(self.members) {
            self.in_flight.add_permits(1);
        }
        Ok(())
    }

    pub(crate) fn members(&self) -> usize {
        self.members
    }

    pub(crate) fn delivered(&self) -> usize {
        self.progress().delivered
    }

    /// Receipts before that of an earlier message.
    pub(crate) fn early(&self) -> usize {
        self.progress().early
    }

    /// A percentile of the latency since the last step began, in milliseconds.
    pub(crate) fn latency(&self, percentile: f64) -> f64 {
        self.progress().latencies.value_at_percentile(percentile) as f64 / 1000.0
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::{Receipts, Room};

    fn room() -> Room {
        let room = Room::new("room-0".to_owned(), 2, 1, 12, mpsc::channel(1).0);
        room.sending();
        room
    }

    #[test]
    fn messages_arrive_complete() {
        let room = room();
        let mut receipts = Receipts::default();
        room.received(&mut receipts, "000000000000").expect("it is the first");
        assert!(room.received(&mut receipts, "0000000000").is_err(), "it is too short");
        assert!(room.received(&mut receipts, "000000000000").is_err(), "it is there already");
        assert!(room.received(&mut receipts, "000000000001").is_err(), "it was not sent");
        assert_eq!(room.delivered(), 1);
    }

    #[test]
    fn a_message_that_all_members_have_lets_the_next_be_sent() {
        let room = room();
        for permits in [1, 2] {
            room.received(&mut Receipts::default(), "000000000000").expect("a member has it");
            assert_eq!(room.in_flight.available_permits(), permits);
        }
    }
}
