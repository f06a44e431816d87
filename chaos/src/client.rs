//! A client with a mind of its own: where it is, which rooms it is in, what it heard.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    control::Said,
    line::{Line, Packet},
};

/// How long a server may take to let a client in.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries to come back, or to join again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client does when its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// It stays away.
    Never,
    /// It connects to the next server that lets it in, this one or another, and joins its rooms again.
    Anywhere,
}

/// A message that arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The name of the event.
    pub event: String,
    /// What it said.
    pub said: Said,
    /// When it was read.
    pub at: Instant,
}

/// What a client believes.
#[derive(Debug, Default)]
pub struct Belief {
    /// What the server calls it; none while it is not connected.
    pub id: Option<String>,
    /// Which of the servers it is connected to, or was last.
    pub server: usize,
    /// The rooms that it was told it is in.
    pub rooms: BTreeSet<String>,
    /// The rooms that it wants to be in.
    pub wished: BTreeSet<String>,
    /// The ids it had before.
    pub former: Vec<String>,
    /// Everything it heard since it was last asked to forget.
    pub heard: Vec<Heard>,
}

enum Wish {
    Ask { event: &'static str, data: Value, answer: oneshot::Sender<Result<Value, String>> },
    HangUp,
}

/// A client. Dropping it closes its connection without a disconnect packet.
#[derive(Debug)]
pub struct Client {
    belief: Arc<Mutex<Belief>>,
    wishes: mpsc::UnboundedSender<Wish>,
    _task: AbortOnDropHandle<()>,
}

/// The servers that clients may connect to; those that went and came back have new addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Servers(Arc<Mutex<Vec<Option<SocketAddr>>>>);

impl Servers {
    pub(crate) fn set(&self, index: usize, address: Option<SocketAddr>) {
        let mut servers = self.0.lock();
        if servers.len() <= index {
            servers.resize(index + 1, None);
        }
        servers[index] = address;
    }

    fn get(&self, index: usize) -> Option<SocketAddr> {
        self.0.lock().get(index).copied().flatten()
    }

    fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Client {
    /// Connects to one of the servers.
    ///
    /// # Panics
    /// When it is refused.
    pub(crate) async fn connect(servers: Servers, server: usize, comeback: Comeback) -> Self {
        let connected = Self::try_connect(servers, server, comeback).await;
        connected.unwrap_or_else(|error| panic!("a client is refused by server {server}: {error}"))
    }

    /// As [`Self::connect`], or the reason of the refusal.
    pub(crate) async fn try_connect(servers: Servers, server: usize, comeback: Comeback) -> Result<Self, String> {
        let address = servers.get(server).ok_or("there is no such server")?;
        let line = timeout(PATIENCE, Line::connect(address)).await.map_err(|_| "no answer")?;
        let line = line.map_err(|error| error.to_string())?;
        let belief = Belief { id: Some(line.id.clone()), server, ..Belief::default() };
        let belief = Arc::new(Mutex::new(belief));
        let (wishes, receiver) = mpsc::unbounded_channel();
        let client =
            ClientTask { servers, comeback, belief: belief.clone(), wishes: receiver, asked: HashMap::new(), next: 0 };
        let task = AbortOnDropHandle::new(tokio::spawn(client.run(line)));
        Ok(Self { belief, wishes, _task: task })
    }

    /// What it believes right now.
    pub fn belief(&self) -> MutexGuard<'_, Belief> {
        self.belief.lock()
    }

    /// Joins a room; the code of the error when it may not. It wants to be in there from now on.
    ///
    /// # Errors
    /// As said; `GONE` when the connection ended before the answer.
    pub async fn join(&self, room: &str) -> Result<(), String> {
        let joined = self.ask("join", Value::from(room)).await.map(drop);
        if joined.is_ok() {
            self.belief().wished.insert(room.to_owned());
        }
        joined
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn leave(&self, room: &str) -> Result<(), String> {
        {
            let mut belief = self.belief();
            belief.wished.remove(room);
            belief.rooms.remove(room);
        }
        self.ask("leave", Value::from(room)).await.map(drop)
    }

    /// Sends a message to a room through its own server, which acknowledges it.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn say(&self, room: &str, event: &str, number: u64) -> Result<(), String> {
        self.ask("say", serde_json::json!({ "room": room, "event": event, "number": number })).await.map(drop)
    }

    /// Sends a message to another client.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn tell(&self, client: &str, number: u64) -> Result<(), String> {
        self.ask("tell", serde_json::json!({ "client": client, "number": number })).await.map(drop)
    }

    /// Ends the connection without a goodbye; what it does then is its [`Comeback`].
    pub fn hang_up(&self) {
        // A client that stays away has hung up already.
        let _ = self.wishes.send(Wish::HangUp);
    }

    async fn ask(&self, event: &'static str, data: Value) -> Result<Value, String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "GONE".to_owned();
        self.wishes.send(Wish::Ask { event, data, answer }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

enum Asked {
    Somebody {
        room: Option<String>,
        answer: oneshot::Sender<Result<Value, String>>,
    },
    /// A room that it wants to be in again.
    Again(String),
}

struct ClientTask {
    servers: Servers,
    comeback: Comeback,
    belief: Arc<Mutex<Belief>>,
    wishes: mpsc::UnboundedReceiver<Wish>,
    asked: HashMap<u64, Asked>,
    next: u64,
}

impl ClientTask {
    async fn run(mut self, mut line: Line) {
        loop {
            self.take_part(&mut line).await;
            drop(line);
            self.asked.clear();
            let server = {
                let mut belief = self.belief.lock();
                let id = belief.id.take();
                belief.former.extend(id);
                belief.rooms.clear();
                belief.server
            };
            if self.comeback == Comeback::Never {
                return;
            }
            line = self.come_back(server).await;
        }
    }

    async fn come_back(&self, server: usize) -> Line {
        // Many come at once, and each begins where it likes; a real one waits longer.
        let mut server = server + 1 + rand::random_range(0..self.servers.count());
        loop {
            server = (server + 1) % self.servers.count();
            if let Some(address) = self.servers.get(server)
                && let Ok(Ok(line)) = timeout(PATIENCE, Line::connect(address)).await
            {
                let mut belief = self.belief.lock();
                belief.id = Some(line.id.clone());
                belief.server = server;
                return line;
            }
            sleep(PAUSE.mul_f64(rand::random_range(0.5..1.5))).await;
        }
    }

    /// Until the connection ends.
    async fn take_part(&mut self, line: &mut Line) {
        let mut again: Vec<(Instant, String)> =
            self.belief.lock().wished.iter().map(|room| (Instant::now(), room.clone())).collect();
        loop {
            let due = again.iter().map(|(due, _)| *due).min();
            let went = tokio::select! {
                packet = line.next() => match packet {
                    Ok(Packet::Event(text)) => {
                        self.hear(&text);
                        Ok(())
                    }
                    Ok(Packet::Answer(number, text)) => {
                        self.take_answer(number, &text, &mut again);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Some(wish) = self.wishes.recv() => match wish {
                    Wish::Ask { event, data, answer } => {
                        let room = (event == "join").then(|| data.as_str().unwrap_or_default().to_owned());
                        self.send(line, event, &data, Asked::Somebody { room, answer }).await
                    }
                    Wish::HangUp => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    let (ready, later) = again.drain(..).partition(|(due, _)| *due <= now);
                    again = later;
                    let ready: Vec<(Instant, String)> = ready;
                    let mut went = Ok(());
                    for (_, room) in ready {
                        went = self.send(line, "join", &Value::from(room.as_str()), Asked::Again(room)).await;
                    }
                    went
                }
            };
            if went.is_err() {
                return;
            }
        }
    }

    async fn send(&mut self, line: &mut Line, event: &str, data: &Value, asked: Asked) -> std::io::Result<()> {
        let number = self.next;
        self.next += 1;
        self.asked.insert(number, asked);
        line.send(format!(r#"42{number}["{event}",{data}]"#)).await
    }

    fn take_answer(&mut self, number: u64, text: &str, again: &mut Vec<(Instant, String)>) {
        let Some(asked) = self.asked.remove(&number) else { return };
        let answer = read_answer(text);
        match asked {
            Asked::Somebody { room, answer: waits } => {
                if answer.is_ok() {
                    self.belief.lock().rooms.extend(room);
                }
                // The caller may have given up.
                let _ = waits.send(answer);
            }
            Asked::Again(room) if answer.is_ok() => drop(self.belief.lock().rooms.insert(room)),
            Asked::Again(room) => again.push((Instant::now() + PAUSE, room)),
        }
    }

    fn hear(&self, text: &str) {
        // What is no message of the tests is an error that the server tells of.
        if let Ok((event, said)) = serde_json::from_str::<(String, Said)>(text) {
            self.belief.lock().heard.push(Heard { event, said, at: Instant::now() });
        }
    }
}

/// The value of an acknowledgement, or the code of the error it is.
fn read_answer(text: &str) -> Result<Value, String> {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let answer = answer.get(0).cloned().unwrap_or_default();
    match answer.get("error").and_then(|error| error.get("code")).and_then(Value::as_str) {
        Some(code) => Err(code.to_owned()),
        None => Ok(answer),
    }
}

/// Counts up, for numbers that no two messages share.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    u64::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or_default()
}
