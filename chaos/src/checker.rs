//! Whether everybody sees the same.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use roomwire_core::{ClientKey, Namespace, Page, PageRequest, RoomId, RoomKey, StateError, StateStore};
use tokio::time::{Instant, sleep};

use crate::{Crowd, Node, View, ledger::Membership};

/// How many items a page has.
const PAGE: usize = 500;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Compares what the store, the nodes and the clients believe.
#[derive(Debug)]
pub struct Checker {
    store: Box<dyn StateStore>,
}

impl Checker {
    /// Over a handle on the store of the checker's own, which holds no lease and writes nothing.
    #[must_use]
    pub fn new(store: Box<dyn StateStore>) -> Self {
        Self { store }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn StateStore {
        &*self.store
    }

    /// What the store says: of clients, and again of rooms and their members. What does not fit together is odd.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn stored(&self) -> Result<View, StateError> {
        let namespace = Namespace::root();
        let mut view = View::default();
        let mut by_client = BTreeSet::<Membership>::new();
        let clients = pages(|page| async move { self.store.clients(&Namespace::root(), &page).await }).await?;
        for client in clients {
            let rooms: BTreeSet<String> = client.rooms.iter().map(ToString::to_string).collect();
            by_client.extend(rooms.iter().map(|room| (room.clone(), client.id.to_string())));
            view.add(&client.id, &client.node, rooms);
        }
        let count = self.store.client_count(&namespace).await?;
        if count != view.clients().len() as u64 {
            view.add_oddity(format!("counts {count} clients and lists {}", view.clients().len()));
        }
        let mut by_room = BTreeSet::<Membership>::new();
        let rooms = pages(|page| async move { self.store.rooms(&Namespace::root(), &page).await }).await?;
        let mut names = BTreeSet::new();
        for room in rooms {
            if !names.insert(room.id.clone()) {
                // A page may repeat an item.
                continue;
            }
            let key = RoomKey::new(namespace.clone(), room.id.clone());
            let members = pages(|page| {
                let key = key.clone();
                async move { self.store.members(&key, &page).await }
            });
            let members = members.await?;
            let ids: BTreeSet<_> = members.iter().map(|member| member.client.to_string()).collect();
            if ids.len() != room.members as usize {
                view.add_oddity(format!("{} counts {} members and lists {}", room.id, room.members, ids.len()));
            }
            for member in members {
                let place = view.clients().get(member.client.as_str());
                if place.is_some_and(|place| place.node != member.incarnation.node().as_str()) {
                    view.add_oddity(format!(
                        "{} is in {} at {}, and not as a client",
                        member.client,
                        room.id,
                        member.incarnation.node()
                    ));
                }
            }
            by_room.extend(ids.into_iter().map(|id| (room.id.to_string(), id)));
        }
        let count = self.store.room_count(&namespace).await?;
        if count != names.len() as u64 {
            view.add_oddity(format!("counts {count} rooms and lists {}", names.len()));
        }
        for (room, client) in by_client.difference(&by_room) {
            view.add_oddity(format!("{client} is in {room}, which does not list it"));
        }
        for (room, client) in by_room.difference(&by_client) {
            view.add_oddity(format!("{room} lists {client}, which is not in it"));
        }
        Ok(view)
    }

    /// How many members a room has, as the store counts.
    ///
    /// # Panics
    /// When the store does not answer.
    pub async fn members_of(&self, room: &str) -> u64 {
        let room = RoomId::new(room).unwrap_or_else(|error| panic!("{error}"));
        let counted = self.store.member_count(&RoomKey::new(Namespace::root(), room)).await;
        counted.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether the store knows a client of this id.
    ///
    /// # Panics
    /// When the store does not answer.
    pub async fn knows(&self, client: &str) -> bool {
        let client = roomwire_core::ClientId::new(client).unwrap_or_else(|error| panic!("{error}"));
        let known = self.store.client(&ClientKey::new(Namespace::root(), client)).await;
        known.unwrap_or_else(|error| panic!("{error}")).is_some()
    }

    /// What differs between the store, these nodes and these clients right now, for people; nothing when all agree.
    pub async fn differences(&self, nodes: &[&Node], crowd: &Crowd, names: &[String]) -> Option<String> {
        let believed = crowd.view(names);
        let mut held = View::default();
        for node in nodes {
            for (client, rooms) in node.holdings().await {
                held.add(&client, node.name(), rooms);
            }
        }
        let mut told = String::new();
        if let Some(differences) = held.differences("the nodes", &believed, "the clients") {
            let _ = write!(told, "\n  {differences}");
        }
        match self.stored().await {
            Ok(stored) => {
                if let Some(differences) = stored.differences("the store", &held, "the nodes") {
                    let _ = write!(told, "\n  {differences}");
                }
            }
            Err(error) => drop(write!(told, "\n  the store does not answer: {error}")),
        }
        (!told.is_empty()).then_some(told)
    }

    /// Waits until the store, these nodes and these clients agree; how long it took since `begin`.
    ///
    /// # Panics
    /// With all differences when they do not within that time.
    pub async fn converged(
        &self,
        begin: Instant,
        within: Duration,
        nodes: &[&Node],
        crowd: &Crowd,
        names: &[String],
    ) -> Duration {
        loop {
            let Some(differences) = self.differences(nodes, crowd, names).await else {
                let took = begin.elapsed();
                assert!(took <= within, "converged only after {took:?}, later than {within:?}");
                return took;
            };
            if begin.elapsed() > within {
                let logs: String = nodes.iter().map(|node| node.log_tail()).collect();
                panic!("not converged within {within:?}:{differences}{logs}");
            }
            sleep(PAUSE).await;
        }
    }
}

/// All items of all pages.
async fn pages<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, StateError>
where
    F: Future<Output = Result<Page<T>, StateError>>,
{
    let mut items = Vec::new();
    let mut request = PageRequest::first(PAGE);
    loop {
        let page = read(request).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => request = PageRequest::after(next, PAGE),
            None => return Ok(items),
        }
    }
}
