//! The metrics' totals are what the clients counted themselves.

use std::collections::BTreeMap;

use roomwire_core::ErrorCode;
use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketService};
use tokio::task::JoinSet;

use crate::support::{Counters, Fixture, WebSocket, chance, config, eventually};

const CLIENTS: usize = 50;
const STEPS: usize = 40;
const ROOMS: u64 = 5;

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn leave(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.leave_room(&client, &room).await
}

async fn say(service: WebSocketService, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.broadcast_to_room(&room, "said", &"hello").await
}

async fn fail() -> Result<(), Error> {
    Err(ErrorCode::Forbidden.into())
}

async fn decline() -> Result<(), Error> {
    Err(ErrorCode::Application("NOT_YOUR_TURN").into())
}

async fn sync() -> Result<(), Error> {
    Ok(())
}

fn gateway() -> Gateway {
    Gateway::new()
        .on("join", join)
        .on("leave", leave)
        .on("say", say)
        .on("fail", fail)
        .on("decline", decline)
        .on("sync", sync)
}

/// What one client, or all of them, sent and received.
#[derive(Debug, Default)]
struct Diary {
    sent: BTreeMap<&'static str, u64>,
    /// Events by the outcome that their acknowledgement or error event tells.
    outcomes: BTreeMap<String, u64>,
    events: u64,
    acknowledgements: u64,
}

impl Diary {
    fn note_sent(&mut self, event: &'static str) {
        *self.sent.entry(event).or_default() += 1;
    }

    fn note_received(&mut self, packet: &str) {
        let is_ack = packet.starts_with("43");
        if is_ack {
            self.acknowledgements += 1;
        } else {
            assert!(packet.starts_with("42"), "{packet}");
            self.events += 1;
        }
        let code = packet.split(r#""code":""#).nth(1).and_then(|rest| rest.split('"').next());
        if let Some(outcome) = code.or(is_ack.then_some("OK")) {
            *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        for (event, count) in other.sent {
            *self.sent.entry(event).or_default() += count;
        }
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.events += other.events;
        self.acknowledgements += other.acknowledgements;
    }

    fn sent(&self, event: &str) -> u64 {
        self.sent.get(event).copied().unwrap_or_default()
    }

    fn outcome(&self, code: &str) -> u64 {
        self.outcomes.get(code).copied().unwrap_or_default()
    }
}

/// Does something at random, most of it with an acknowledgement.
async fn act(socket: &mut WebSocket, diary: &mut Diary, random: &mut u64, step: usize) {
    let room = format!("room-{}", chance(random, ROOMS));
    let (event, data) = match chance(random, 10) {
        0..=2 => ("join", room),
        3 => ("leave", room),
        4..=6 => ("say", room),
        7 => ("fail", room),
        8 => ("decline", room),
        _ => ("unknown", room),
    };
    diary.note_sent(event);
    // Events without an acknowledgement tell their failures only.
    let ack =
        if matches!(event, "fail" | "unknown") && chance(random, 2) == 0 { String::new() } else { step.to_string() };
    socket.send(&format!(r#"42{ack}["{event}","{data}"]"#)).await;
}

/// Notes all that was sent to the client so far.
async fn read_all(socket: &mut WebSocket, diary: &mut Diary, ack: &str) {
    diary.note_sent("sync");
    socket.send(&format!(r#"42{ack}["sync"]"#)).await;
    loop {
        let packet = socket.message().await;
        diary.note_received(&packet);
        if packet.starts_with(&format!("43{ack}")) {
            return;
        }
    }
}

#[tokio::test]
async fn what_clients_counted_is_what_the_metrics_say() {
    let counters = Counters::default();
    let _counting = counters.count();
    let fixture = Fixture::new(config(), gateway()).await;
    let (mut acting, address) = (JoinSet::new(), fixture.address);
    for number in 0..CLIENTS {
        acting.spawn(async move {
            let (mut socket, mut diary, mut random) =
                (WebSocket::connect(address).await, Diary::default(), number as u64);
            for step in 0..STEPS {
                act(&mut socket, &mut diary, &mut random, step).await;
            }
            read_all(&mut socket, &mut diary, "1000").await;
            (number, socket, diary)
        });
    }
    let mut all = Diary::default();
    let mut open = Vec::new();
    // All have acted: nothing is sent to a room any more.
    for (number, mut socket, mut diary) in acting.join_all().await {
        read_all(&mut socket, &mut diary, "1001").await;
        all.add(diary);
        open.push((number, socket));
    }
    assert_eq!(counters.level("roomwire_clients"), CLIENTS as f64);
    assert_eq!(counters.level("roomwire_sessions"), CLIENTS as f64);
    assert_eq!(counters.level("roomwire_connections"), CLIENTS as f64);
    assert_eq!(counters.level("roomwire_rooms"), ROOMS as f64);
    let mut memberships = 0;
    for room in 0..ROOMS {
        memberships += fixture.service.member_count(format!("room-{room}").as_str()).await.expect("counts");
    }
    assert_eq!(counters.level("roomwire_memberships"), memberships as f64);

    let of = |name: &str| counters.of(&format!("roomwire_{name}"));
    assert_eq!(of("events_received_total()"), all.sent.values().sum::<u64>());
    let codes = ["OK", "FORBIDDEN", "UNKNOWN_EVENT", "NOT_IN_ROOM"];
    for code in codes {
        assert!(all.outcome(code) > 0, "{code} is tried");
        assert_eq!(of(&format!("events_total({code})")), all.outcome(code), "{code}");
    }
    assert_eq!(of("events_total(APPLICATION)"), all.outcome("NOT_YOUR_TURN"));
    assert_eq!(all.outcomes.len(), codes.len() + 1, "{:?}", all.outcomes);
    assert_eq!(of("messages_queued_total()"), all.events);
    assert_eq!(of("acknowledgements_queued_total()"), all.acknowledgements);
    assert_eq!(of("messages_dropped_total(buffer full)") + of("messages_dropped_total(disconnected)"), 0);
    assert_eq!(of("event_duration_seconds()"), of("events_received_total()"));
    for (operation, event) in [("join", "join"), ("leave", "leave"), ("broadcast", "say")] {
        assert_eq!(of(&format!("operation_duration_seconds({operation})")), all.sent(event), "{operation}");
    }
    assert_eq!(counters.level("roomwire_events_pending"), 0.0);

    let mut ended = BTreeMap::<&str, u64>::new();
    for (number, mut socket) in open {
        *ended
            .entry(match number % 3 {
                0 => {
                    socket.send("1").await;
                    socket.rest().await;
                    "client disconnected"
                }
                1 => {
                    fixture.service.disconnect_client(socket.id.as_str()).await.expect("is connected");
                    assert_eq!(socket.message().await, "41");
                    socket.send("1").await;
                    "disconnected by server"
                }
                _ => {
                    socket.reset();
                    "connection lost"
                }
            })
            .or_default() += 1;
    }
    eventually("all are gone", async || counters.level("roomwire_connections") == 0.0).await;
    eventually("all have left", async || counters.level("roomwire_clients") == 0.0).await;
    eventually("no room is left", async || counters.level("roomwire_rooms") == 0.0).await;
    for (reason, clients) in &ended {
        assert_eq!(of(&format!("clients_disconnected_total({reason})")), *clients, "{reason}");
    }
    assert_eq!(of("clients_connected_total()"), CLIENTS as u64);
    assert_eq!(of("sessions_opened_total(websocket)"), CLIENTS as u64);
    assert_eq!(of("connections_accepted_total()"), CLIENTS as u64);
    assert_eq!(counters.level("roomwire_sessions"), 0.0);
    assert_eq!(counters.level("roomwire_memberships"), 0.0);
    assert_eq!(of("events_dropped_total()"), 0);
}
