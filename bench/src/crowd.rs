//! Rooms full of clients, and messages to all of them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    cli::LoadArgs,
    client::Client,
    load::StepReport,
    receipts::Receipts,
    room::{Room, room_name},
};

/// Clients that connect or join at the same time.
const CONCURRENCY: usize = 50;
/// The longest time for all messages of a step.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The pause between connecting and the first event, which socketioxide may lose: it announces a connection before it
/// runs the handler that registers those of the events. NestJS does not await its handler of connections.
const HANDLERS: Duration = Duration::from_millis(500);

/// Connects so many clients.
pub(crate) async fn connect(address: SocketAddr, token: Option<&str>, count: usize) -> anyhow::Result<Vec<Client>> {
    stream::iter(0..count).map(|_| Client::connect(address, token)).buffer_unordered(CONCURRENCY).try_collect().await
}

/// Spreads clients over rooms.
pub(crate) async fn join(
    clients: Vec<Client>,
    first_room: usize,
    rooms: usize,
) -> anyhow::Result<Vec<(usize, Client)>> {
    tokio::time::sleep(HANDLERS).await;
    let places = clients.into_iter().enumerate().map(|(index, client)| (index % rooms, client));
    let joining = stream::iter(places).map(async |(room, mut client)| {
        client.join(&room_name(first_room + room)).await?;
        anyhow::Ok((room, client))
    });
    joining.buffer_unordered(CONCURRENCY).try_collect().await
}

/// Clients in rooms.
pub(crate) struct Crowd {
    rooms: Vec<Arc<Room>>,
    clients: JoinSet<anyhow::Result<()>>,
}

impl Crowd {
    /// Lets clients that joined rooms listen; the first of each room sends.
    pub(crate) fn new(places: Vec<(usize, Client)>, args: &LoadArgs) -> Self {
        let members = places.len() / args.rooms;
        let (rooms, mut outgoing): (Vec<_>, Vec<_>) = (0..args.rooms)
            .map(|room| {
                let (sender, outgoing) = mpsc::channel(args.in_flight);
                let name = room_name(args.first_room + room);
                (Arc::new(Room::new(name, members, args.in_flight, args.payload, sender)), Some(outgoing))
            })
            .unzip();
        let mut clients = JoinSet::new();
        for (room, client) in places {
            let outgoing = outgoing[room].take().unwrap_or_else(|| mpsc::channel(1).1);
            clients.spawn(take_part(client, rooms[room].clone(), outgoing));
        }
        Self { rooms, clients }
    }

    /// Sends so many messages to each room and waits until each member has each message.
    pub(crate) async fn send(&mut self, messages: usize) -> anyhow::Result<StepReport> {
        let before = self.delivered();
        let sending = try_join_all(self.rooms.iter().map(|room| room.send(messages)));
        tokio::select! {
            sent = timeout(TIMEOUT, sending) => {
                let missing = || format!("{} messages arrived before the time was up", self.delivered() - before);
                sent.with_context(missing)??;
            }
            ended = self.clients.join_next() => ended.context("there are no clients")???,
        }
        let count = self.delivered() - before;
        let due = messages * self.rooms.iter().map(|room| room.members()).sum::<usize>();
        ensure!(count == due, "{count} messages arrived instead of {due}");
        // Rooms do the same: the first stands for all.
        let latency = self.rooms.first().map(|room| room.latency(99.0));
        let early = self.rooms.iter().map(|room| room.early()).sum();
        Ok(StepReport { count, latency, early })
    }

    fn delivered(&self) -> usize {
        self.rooms.iter().map(|room| room.delivered()).sum()
    }
}

/// Listens, and sends if it is the member that does. Ends when the connection does, or with a wrong message.
async fn take_part(mut client: Client, room: Arc<Room>, mut outgoing: mpsc::Receiver<Utf8Bytes>) -> anyhow::Result<()> {
    let mut receipts = Receipts::default();
    loop {
        tokio::select! {
            packet = client.next() => {
                let packet = packet?;
                if let Some(message) = packet.strip_prefix(r#"42["said",""#).and_then(|rest| rest.strip_suffix(r#""]"#)) {
                    room.received(&mut receipts, message)?;
                }
            }
            Some(text) = outgoing.recv() => {
                room.sending();
                client.send(text).await?;
            }
        }
    }
}
