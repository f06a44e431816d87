//! Which clients of `/` are connected, as the store, the node, its events and its handlers tell it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roomwire_service::{Client, ClientId, Error, PageRequest, RoomId, ServiceEvent, WebSocketService};
use serde_json::{Value, json};

type Rooms = BTreeMap<ClientId, BTreeSet<RoomId>>;

/// What was told up to now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stays(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    by_events: Rooms,
    by_handlers: BTreeSet<ClientId>,
    out_of_turn: Vec<String>,
}

impl Stays {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the events of the service from now on.
    pub(crate) fn read(&self, service: &WebSocketService) {
        let (stays, mut events, root) = (self.clone(), service.events(), service.namespace_name().clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let mut told = stays.lock();
                let present = &mut told.by_events;
                let in_turn = match &event {
                    ServiceEvent::ClientConnected { client } if client.namespace == root => {
                        present.insert(client.client.clone(), BTreeSet::new()).is_none()
                    }
                    ServiceEvent::ClientDisconnected { client, .. } if client.namespace == root => {
                        present.remove(&client.client).is_some_and(|rooms| rooms.is_empty())
                    }
                    ServiceEvent::Joined { room, client } if room.namespace == root => {
                        present.get_mut(client).is_some_and(|rooms| rooms.insert(room.room.clone()))
                    }
                    ServiceEvent::Left { room, client, .. } if room.namespace == root => {
                        present.get_mut(client).is_some_and(|rooms| rooms.remove(&room.room))
                    }
                    ServiceEvent::Missed { .. } => false,
                    _ => true,
                };
                if !in_turn {
                    told.out_of_turn.push(format!("{event:?}"));
                }
            }
        });
    }

    /// All that is known of the clients of this service's namespace: their rooms by the store, the node and the events.
    pub(crate) async fn report(&self, service: &WebSocketService) -> Result<Value, Error> {
        let page = service.clients(&PageRequest::first(PageRequest::MAX_LIMIT)).await?;
        let store: Rooms =
            page.items.into_iter().map(|client| (client.id, client.rooms.into_iter().collect())).collect();
        let mut members = BTreeMap::new();
        for room in service.rooms(&PageRequest::first(PageRequest::MAX_LIMIT)).await?.items {
            members.insert(room.id.clone(), service.member_count(&room.id).await?);
        }
        let count = service.client_count().await?;
        let told = self.lock();
        let here = told.by_events.keys().chain(store.keys()).filter_map(|id| service.local_client(id));
        let node: Rooms = here.map(|client| (client.id().clone(), client.rooms().into_iter().collect())).collect();
        Ok(json!({
            "store": store,
            "count": count,
            "members": members,
            "node": node,
            "nodeCount": service.local_client_count(),
            "events": told.by_events,
            "handlers": told.by_handlers,
            "outOfTurn": told.out_of_turn,
        }))
    }
}

pub(crate) fn begin(client: &Client, stays: &Stays) {
    let mut told = stays.lock();
    if !told.by_handlers.insert(client.id().clone()) {
        told.out_of_turn.push(format!("on_connect of {}", client.id()));
    }
}

pub(crate) fn end(client: &Client, stays: &Stays) {
    let mut told = stays.lock();
    if !told.by_handlers.remove(client.id()) {
        told.out_of_turn.push(format!("on_disconnect of {}", client.id()));
    }
}
