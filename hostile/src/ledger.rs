//! What was said and heard: each message must reach each member of its room once, in the order it was said.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::latency::Latencies;

/// How many members a room has.
pub(crate) const MEMBERS: usize = 10;

/// What members say.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) room: String,
    /// The number of the sender.
    pub(crate) from: usize,
    /// Counts the sender's messages.
    pub(crate) number: u64,
    /// When it was sent, in microseconds of the ledger.
    pub(crate) at: u64,
    /// In which phase.
    pub(crate) phase: u8,
}

/// What all members share.
#[derive(Debug)]
pub(crate) struct Ledger {
    began: Instant,
    pub(crate) latencies: Latencies,
    /// Held while a message is counted: none is after the ledger was closed.
    closed: Mutex<bool>,
    /// How many messages each member has sent.
    sent: Vec<AtomicU64>,
    /// Of each member: how many messages of each member of its room it has heard.
    heard: Vec<Mutex<[u64; MEMBERS]>>,
    /// Whatever must not happen to an honest client.
    faults: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn new(members: usize) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            latencies: Latencies::new(),
            closed: Mutex::default(),
            sent: (0..members).map(|_| AtomicU64::new(0)).collect(),
            heard: (0..members).map(|_| Mutex::default()).collect(),
            faults: Mutex::default(),
        })
    }

    /// No client sends any more.
    pub(crate) fn close(&self) {
        *self.closed.lock() = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.lock()
    }

    /// The next event of a member; none when the ledger is closed.
    pub(crate) fn say(&self, member: usize, room: &str) -> Option<String> {
        let closed = self.closed.lock();
        if *closed {
            return None;
        }
        let said = Said {
            room: room.to_owned(),
            from: member,
            number: self.sent[member].fetch_add(1, Ordering::AcqRel),
            at: self.now(),
            phase: self.latencies.phase(),
        };
        Some(format!(r#"42["say",{}]"#, serde_json::to_string(&said).unwrap_or_default()))
    }

    /// A member heard something.
    pub(crate) fn hear(&self, member: usize, packet: &str) {
        let Some(text) = packet.strip_prefix("42") else { return self.fault(format!("member {member} got {packet}")) };
        let Ok((_, said)) = serde_json::from_str::<(String, Said)>(text) else {
            return self.fault(format!("member {member} got {packet}"));
        };
        let Some(from) = (said.from / MEMBERS == member / MEMBERS).then_some(said.from % MEMBERS) else {
            return self.fault(format!("member {member} heard what was not said to its room: {packet}"));
        };
        let mut heard = self.heard[member].lock();
        if heard[from] != said.number {
            let due = heard[from];
            self.fault(format!("member {member} heard {} of member {} when {due} was due", said.number, said.from));
        }
        heard[from] = said.number + 1;
        drop(heard);
        let latency = self.now().saturating_sub(said.at);
        self.latencies.record(said.phase, std::time::Duration::from_micros(latency));
    }

    pub(crate) fn fault(&self, what: String) {
        self.faults.lock().push(what);
    }

    /// What honest clients suffered.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().clone()
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.iter().map(|sent| sent.load(Ordering::Acquire)).sum()
    }

    /// What was said and not heard yet.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (member, heard) in self.heard.iter().enumerate() {
            for (from, heard) in heard.lock().iter().enumerate() {
                let from = member / MEMBERS * MEMBERS + from;
                let sent = self.sent.get(from).map_or(0, |sent| sent.load(Ordering::Acquire));
                if *heard < sent {
                    missing.push(format!("member {member} misses {} of member {from}", sent - heard));
                }
            }
        }
        missing
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
