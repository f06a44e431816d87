//! One of the crowd: says something at a steady pace and hears what others say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    Polling, WebSocket, fresh,
    ledger::{Ledger, MEMBERS},
    within,
};

/// Between two messages of one member.
const PACE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) enum Member {
    Websocket(WebSocket),
    Polling(Polling),
}

impl Member {
    /// Connects and joins its room.
    ///
    /// # Errors
    /// What came instead.
    pub(crate) async fn come(server: SocketAddr, connect: String, index: usize, polls: bool) -> Result<Self, String> {
        let join = format!(r#"420["join","{}"]"#, room_of(index));
        if polls {
            let mut client = Polling::connect_by(server, &connect).await;
            client.post(&join).await;
            let joined = within("an honest client joins", client.poll()).await.unwrap_or_default();
            return if joined == ["430[null]"] { Ok(Self::Polling(client)) } else { Err(format!("{joined:?}")) };
        }
        let mut client = WebSocket::connect_by(fresh(), server, &connect).await?;
        client.send(&join).await;
        match within("an honest client joins", client.next()).await {
            Some(joined) if joined == "430[null]" => Ok(Self::Websocket(client)),
            other => Err(format!("{other:?}")),
        }
    }

    /// What the server calls it.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Websocket(client) => &client.id,
            Self::Polling(client) => &client.id,
        }
    }

    /// Takes part until its connection ends, which it must not.
    pub(crate) async fn live(self, index: usize, ledger: Arc<Ledger>) {
        match self {
            Self::Websocket(client) => by_websocket(client, index, &ledger).await,
            Self::Polling(client) => by_polling(client, index, &ledger).await,
        }
        ledger.fault(format!("member {index} was disconnected"));
    }
}

/// In which room a member is.
pub(crate) fn room_of(index: usize) -> String {
    format!("crowd-{}", index / MEMBERS)
}

/// Members take turns, evenly.
fn ticks(index: usize) -> tokio::time::Interval {
    let offset = PACE.mul_f64((index * 37 % 100) as f64 / 100.0);
    let mut ticks = interval_at(Instant::now() + offset, PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn by_websocket(mut client: WebSocket, index: usize, ledger: &Ledger) {
    let (mut ticks, room) = (ticks(index), room_of(index));
    loop {
        tokio::select! {
            packet = client.next() => match packet {
                Some(packet) => ledger.hear(index, &packet),
                None => return,
            },
            _ = ticks.tick() => if let Some(event) = ledger.say(index, &room) {
                client.send(&event).await;
            }
        }
    }
}

async fn by_polling(mut client: Polling, index: usize, ledger: &Ledger) {
    let (mut ticks, room) = (ticks(index), room_of(index));
    client.gets.send("GET", &client.target, "", b"").await;
    let Polling { mut posts, mut gets, target, .. } = client;
    let (pong, mut pongs) = tokio::sync::mpsc::unbounded_channel();
    let receive = async {
        loop {
            let Some(answer) = gets.answer().await.filter(|answer| answer.status == 200) else { return };
            gets.send("GET", &target, "", b"").await;
            for packet in answer.body.split('\u{1e}') {
                if packet == "2" {
                    // The other half is gone only when the member is.
                    let _ = pong.send(());
                } else {
                    ledger.hear(index, packet);
                }
            }
        }
    };
    let send = async {
        loop {
            let body = tokio::select! {
                _ = ticks.tick() => match ledger.say(index, &room) {
                    Some(event) => event,
                    None => continue,
                },
                Some(()) = pongs.recv() => "3".to_owned(),
            };
            let answer = posts.ask("POST", &target, &body).await;
            if answer.status != 200 {
                ledger.fault(format!("member {index} posted and got {answer:?}"));
                return;
            }
        }
    };
    tokio::select! {
        () = receive => {},
        () = send => {},
    }
}
