//! Messages and questions to rooms and clients.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_core::ErrorCode;

use crate::{
    calls::ROOMS,
    cluster::{Cluster, id_of},
    node::Node,
};

/// The receivers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Room(usize),
    Client(usize),
}

/// A sent message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) to: To,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// The error code, if the call failed.
    pub(crate) code: Option<ErrorCode>,
    /// Whether the process of the sender was killed meanwhile.
    pub(crate) killed: bool,
}

/// An answered question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) device: usize,
    /// The number of the connection that answered.
    pub(crate) connection: u64,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

/// The messages and answers of a round.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    pub(crate) sent: Mutex<Vec<Message>>,
    pub(crate) answers: Mutex<Vec<Answer>>,
}

impl Messages {
    pub(crate) fn forget(&self) {
        self.sent.lock().clear();
        self.answers.lock().clear();
    }
}

/// Takes `steps` steps.
pub(crate) async fn act(cluster: Arc<Cluster>, messages: Arc<Messages>, steps: usize) {
    let random = cluster.random.clone();
    for _ in 0..steps {
        match random.below(3) {
            0 => send(&cluster, &messages, To::Room(random.below(ROOMS.len()))).await,
            1 => send(&cluster, &messages, To::Client(random.below(cluster.profile.devices))).await,
            _ => ask_from(&cluster.any_node(), &cluster, &messages, random.below(cluster.profile.devices)).await,
        }
        random.yield_randomly("messenger").await;
    }
}

/// Sends a message from a random node.
pub(crate) async fn send(cluster: &Cluster, messages: &Messages, to: To) {
    send_from(&cluster.any_node(), cluster, messages, to).await;
}

pub(crate) async fn send_from(node: &Node, cluster: &Cluster, messages: &Messages, to: To) {
    let number = cluster.number();
    let begun = cluster.random.tick();
    let sent = match to {
        To::Room(room) => node.service.broadcast_to_room(ROOMS[room], "message", &number).await,
        To::Client(device) => node.service.send_to_client(id_of(device), "message", &number).await,
    };
    let ended = cluster.random.tick();
    cluster.random.note(|| format!("message {number} from {} to {to:?}: {sent:?}", node.place));
    let code = sent.err().map(|error| error.code());
    messages.sent.lock().push(Message { number, to, begun, ended, code, killed: node.was_killed() });
}

/// Sends a question to a client and waits for the answer.
pub(crate) async fn ask_from(node: &Node, cluster: &Cluster, messages: &Messages, device: usize) {
    let question = cluster.number();
    let begun = cluster.random.tick();
    let limit = Duration::from_millis(100);
    let answer = node.service.send_to_client_with_ack::<[u64; 2]>(id_of(device), "question", &question, limit).await;
    let ended = cluster.random.tick();
    cluster.random.note(|| format!("question {question} from {} to {}: {answer:?}", node.place, id_of(device)));
    if let Ok([connection, answered]) = answer {
        assert_eq!(answered, question, "an answer to another question");
        messages.answers.lock().push(Answer { device, connection, begun, ended });
    }
}
