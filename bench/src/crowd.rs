//! Rooms full of clients, and messages to all of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::client::Client;

/// How many clients connect or join at the same time.
const AT_ONCE: usize = 50;
/// How long all messages of a step may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait between connecting and the first event, which plain socketioxide may lose: it says that a client is
/// connected before it begins to run the handler that registers those of the events.
const HANDLERS: Duration = Duration::from_millis(500);
/// The size of a message in bytes.
const SIZE: usize = 64;

/// Connects so many clients.
pub(crate) async fn connect(address: SocketAddr, token: Option<&str>, count: usize) -> anyhow::Result<Vec<Client>> {
    stream::iter(0..count).map(|_| Client::connect(address, token)).buffer_unordered(AT_ONCE).try_collect().await
}

/// Spreads clients over rooms.
pub(crate) async fn join(clients: Vec<Client>, rooms: usize) -> anyhow::Result<Vec<(usize, Client)>> {
    tokio::time::sleep(HANDLERS).await;
    let places = clients.into_iter().enumerate().map(|(at, client)| (at % rooms, client));
    let joining = stream::iter(places).map(async |(room, mut client)| {
        client.join(&name(room)).await?;
        anyhow::Ok((room, client))
    });
    joining.buffer_unordered(AT_ONCE).try_collect().await
}

fn name(room: usize) -> String {
    format!("room-{room}")
}

/// What the members of one room have in common.
struct Room {
    name: String,
    members: usize,
    /// How many messages arrived, at all members together.
    delivered: AtomicUsize,
    /// Messages that may be sent now: one comes back whenever as many arrived as the room has members.
    allowance: Semaphore,
    /// To the member that sends.
    sender: mpsc::Sender<Utf8Bytes>,
}

impl Room {
    fn arrived(&self) {
        let delivered = self.delivered.fetch_add(1, Ordering::AcqRel) + 1;
        if delivered.is_multiple_of(self.members) {
            self.allowance.add_permits(1);
        }
    }

    /// Has so many messages sent to the room and waits until all members have all of them.
    async fn send(&self, messages: usize) -> anyhow::Result<()> {
        let at_once = self.allowance.available_permits();
        for number in 0..messages {
            self.allowance.acquire().await?.forget();
            let text = format!(r#"42["say",{{"room":"{}","message":"{number:0>SIZE$}"}}]"#, self.name);
            self.sender.send(text.into()).await.context("the sender is gone")?;
        }
        let all = self.allowance.acquire_many(u32::try_from(at_once)?).await?;
        drop(all);
        Ok(())
    }
}

/// Clients in rooms.
pub(crate) struct Crowd {
    rooms: Vec<Arc<Room>>,
    clients: JoinSet<anyhow::Result<()>>,
}

impl Crowd {
    /// Lets clients that joined rooms listen; the first of each room sends.
    pub(crate) fn new(places: Vec<(usize, Client)>, rooms: usize, in_flight: usize) -> Self {
        let members = places.len() / rooms;
        let (rooms, mut orders): (Vec<_>, Vec<_>) = (0..rooms)
            .map(|room| {
                let (sender, orders) = mpsc::channel(in_flight);
                let allowance = Semaphore::new(in_flight);
                let room = Room { name: name(room), members, delivered: AtomicUsize::new(0), allowance, sender };
                (Arc::new(room), Some(orders))
            })
            .unzip();
        let mut clients = JoinSet::new();
        for (room, client) in places {
            let orders = orders[room].take().unwrap_or_else(|| mpsc::channel(1).1);
            clients.spawn(take_part(client, rooms[room].clone(), orders));
        }
        Self { rooms, clients }
    }

    /// Sends so many messages to each room; returns how many were delivered.
    pub(crate) async fn send(&mut self, messages: usize) -> anyhow::Result<usize> {
        let before = self.delivered();
        let sending = try_join_all(self.rooms.iter().map(|room| room.send(messages)));
        tokio::select! {
            sent = timeout(PATIENCE, sending) => {
                sent.context("not all messages arrived in time")??;
            }
            ended = self.clients.join_next() => ended.context("there are no clients")???,
        }
        let delivered = self.delivered() - before;
        let due = messages * self.rooms.iter().map(|room| room.members).sum::<usize>();
        ensure!(delivered == due, "{delivered} messages arrived instead of {due}");
        Ok(delivered)
    }

    fn delivered(&self) -> usize {
        self.rooms.iter().map(|room| room.delivered.load(Ordering::Acquire)).sum()
    }
}

/// Listens, and sends what it is told to. Ends when the connection does.
async fn take_part(mut client: Client, room: Arc<Room>, mut orders: mpsc::Receiver<Utf8Bytes>) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            packet = client.next() => {
                if packet?.starts_with(r#"42["said""#) {
                    room.arrived();
                }
            }
            Some(text) = orders.recv() => client.send(text).await?,
        }
    }
}
