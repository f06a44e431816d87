//! The events of all nodes, written down, and what must hold for them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_core::{ClientId, ClientKey, DisconnectReason, LeaveReason, RoomKey};
use roomwire_service::{ServiceEvent, WebSocketService};
use tokio::time::Instant;

use super::eventually;

/// Reads the events of some services from the moment it is made.
#[derive(Debug)]
pub(crate) struct Ledger {
    services: Vec<WebSocketService>,
    books: Vec<Arc<Mutex<Vec<ServiceEvent>>>>,
}

impl Ledger {
    pub(crate) fn of(services: impl IntoIterator<Item = WebSocketService>) -> Self {
        let (mut books, services) = (Vec::new(), Vec::from_iter(services));
        for service in &services {
            let book = Arc::new(Mutex::new(Vec::new()));
            books.push(book.clone());
            let mut events = service.events();
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    book.lock().push(event);
                }
            });
        }
        Self { services, books }
    }

    /// Everything written down so far, node by node.
    pub(crate) fn events(&self) -> Vec<ServiceEvent> {
        self.books.iter().flat_map(|book| book.lock().clone()).collect()
    }

    /// Waits until every event that was reported before this call is written down.
    pub(crate) async fn complete(&self) {
        for (service, book) in self.services.iter().zip(&self.books) {
            let mark = format!("mark-{:016x}", rand::random::<u64>());
            service.create_room(&mark, Default::default()).await.expect("a store that works");
            let is_mark =
                |event: &ServiceEvent| matches!(event, ServiceEvent::RoomCreated { room } if room.room == *mark);
            eventually("the mark is read", async || book.lock().iter().rev().any(is_mark)).await;
            service.delete_room(&mark).await.expect("deleted");
        }
    }

    /// Waits until so many clients are reported gone.
    pub(crate) async fn gone(&self, clients: usize) {
        let count = || {
            let events = self.books.iter().map(|book| {
                book.lock().iter().filter(|event| matches!(event, ServiceEvent::ClientDisconnected { .. })).count()
            });
            events.sum::<usize>()
        };
        eventually("clients are reported gone", async || count() >= clients).await;
    }

    /// What was reported of a client, by which node.
    fn about(&self, who: &ClientId) -> Vec<(usize, ServiceEvent)> {
        let events = self.books.iter().enumerate().flat_map(|(node, book)| {
            let events = book.lock().clone();
            events.into_iter().map(move |event| (node, event))
        });
        events.filter(|(_, event)| format!("{event:?}").contains(&format!("{who:?}"))).collect()
    }

    /// The reasons for which clients left a room.
    pub(crate) fn left(&self, room: &str) -> Vec<(ClientId, LeaveReason)> {
        let mut left: Vec<_> = self
            .events()
            .into_iter()
            .filter_map(|event| match event {
                ServiceEvent::Left { room: key, client, reason } if key.room == room => Some((client, reason)),
                _ => None,
            })
            .collect();
        left.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        left
    }

    /// Why clients are gone.
    pub(crate) fn disconnected(&self) -> Vec<(ClientKey, DisconnectReason)> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| match event {
                ServiceEvent::ClientDisconnected { client, reason } => Some((client, reason)),
                _ => None,
            })
            .collect()
    }

    /// How often each client joined and left each room.
    ///
    /// # Panics
    /// When events were missed.
    pub(crate) fn stays(&self) -> HashMap<(RoomKey, ClientId), Stay> {
        let mut stays: HashMap<_, Stay> = HashMap::new();
        for event in self.events() {
            match event {
                ServiceEvent::Joined { room, client } => stays.entry((room, client)).or_default().joined += 1,
                ServiceEvent::Left { room, client, .. } => stays.entry((room, client)).or_default().left += 1,
                ServiceEvent::Missed { events } => panic!("the ledger missed {events} events"),
                _ => {}
            }
        }
        stays
    }

    /// Checks that every `Joined` has exactly one `Left`, and on one node never the other way round; returns how
    /// many pairs there were.
    ///
    /// # Panics
    /// When one is missing or too many.
    pub(crate) async fn assert_all_left(&self) -> usize {
        let pairs = self.assert_paired().await;
        for book in &self.books {
            assert_in_turn(&book.lock(), self.books.len() == 1);
        }
        pairs
    }

    /// As [`Self::assert_all_left`], in whatever order: the end of a membership that the store has lost is reported
    /// when it is certain that nobody else does.
    ///
    /// # Panics
    /// When one is missing or too many.
    pub(crate) async fn assert_paired(&self) -> usize {
        // Who cleans up after a lost node reports a moment after the store knows.
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.stays().values().any(|stay| stay.joined != stay.left) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.complete().await;
        let stays = self.stays();
        for ((room, client), stay) in &stays {
            assert_eq!(stay.joined, stay.left, "{client} in {room:?}: {:#?}", self.about(client));
        }
        stays.values().map(|stay| stay.joined).sum()
    }
}

/// What is known of one client in one room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) joined: usize,
    pub(crate) left: usize,
}

/// On one node, a client that joined there leaves before it joins again or is gone, and joins before it leaves.
fn assert_in_turn(events: &[ServiceEvent], alone: bool) {
    let mut inside: HashMap<(&RoomKey, &ClientId), bool> = HashMap::new();
    for event in events {
        match event {
            ServiceEvent::Joined { room, client } => {
                let before = inside.insert((room, client), true);
                assert!(!alone || before != Some(true), "{client} joined {room:?} twice without leaving");
            }
            ServiceEvent::Left { room, client, reason } => {
                let before = inside.insert((room, client), false);
                // Only a deletion and the loss of a node may be reported elsewhere than the join was.
                let elsewhere = !alone
                    && matches!(
                        reason,
                        LeaveReason::RoomDeleted | LeaveReason::Disconnected(DisconnectReason::NodeLost)
                    );
                assert!(before == Some(true) || elsewhere, "{client} left {room:?} before it joined: {reason}");
            }
            ServiceEvent::ClientDisconnected { client: gone, .. } => {
                let stays = inside.iter().find(|((room, client), inside)| {
                    **inside && **client == gone.client && room.namespace == gone.namespace
                });
                assert!(!alone || stays.is_none(), "{gone:?} was gone before it left: {stays:?}");
            }
            _ => {}
        }
    }
}
