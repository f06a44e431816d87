//! What a test and a node say to each other: one JSON object a line, over the node's standard input and output.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Something that a test wants of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Which clients it holds, and in which rooms: [`Holdings`].
    Hold,
    /// Creates a room with a capacity.
    CreateRoom {
        /// Its name.
        room: String,
        /// How many members it may have.
        capacity: u32,
    },
    /// Sends [`Said`] to each of the rooms, one after the other; how many broadcasts failed, and why: [`Broadcasts`].
    Broadcast {
        /// The rooms.
        rooms: Vec<String>,
        /// The event.
        event: String,
        /// The number of the message.
        number: u64,
    },
    /// How many clients the store has.
    CountClients,
    /// Whether the node says that it can reach everything: `true` or `false`.
    IsHealthy,
    /// Stops in good order. The answer is `null`, before it does.
    Stop,
}

impl Order {
    /// What is answered to it, read.
    ///
    /// # Errors
    /// When the answer is none to this order.
    pub fn read<T: DeserializeOwned>(answer: Value) -> Result<T, serde_json::Error> {
        serde_json::from_value(answer)
    }
}

/// An order with the number by which its answer is known.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The number.
    pub question: u64,
    /// The order.
    pub order: Order,
}

/// A line of a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// It serves clients.
    Listening {
        /// The port.
        port: u16,
    },
    /// What became of an order.
    Answer {
        /// The order's number.
        question: u64,
        /// The answer, or the code of the error.
        answer: Result<Value, String>,
    },
    /// Something happened.
    Happened {
        /// Counted from 0, without a gap.
        number: u64,
        /// What.
        what: Happening,
    },
}

/// An event of the service, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A client connected.
    Connected {
        /// The client.
        client: String,
    },
    /// A client is gone.
    Disconnected {
        /// The client.
        client: String,
        /// Why.
        reason: String,
    },
    /// A client became a member.
    Joined {
        /// Of which room.
        room: String,
        /// The client.
        client: String,
    },
    /// A client is a member no more.
    Left {
        /// Of which room.
        room: String,
        /// The client.
        client: String,
        /// Why.
        reason: String,
    },
    /// The shared state cannot be reached.
    StateUnavailable,
    /// The shared state can be reached again.
    StateRecovered,
    /// Messages are being missed.
    Interrupted,
    /// Messages may have been missed.
    Gap,
    /// The number of missed events, after which counts are not reliable.
    Missed {
        /// How many.
        events: u64,
    },
    /// Anything else, as it is written for people.
    Other {
        /// As written.
        text: String,
    },
}

/// Which clients a node holds, each with its rooms.
pub type Holdings = BTreeMap<String, BTreeSet<String>>;

/// What became of some broadcasts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Broadcasts {
    /// The codes of those that failed.
    pub failed: Vec<String>,
    /// How long the slowest took, in microseconds.
    pub slowest: u64,
}

/// A message of the tests, as clients hear it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    /// The room it was sent to.
    pub room: String,
    /// Which message.
    pub number: u64,
    /// The node, or the client, that sent it.
    pub from: String,
}
