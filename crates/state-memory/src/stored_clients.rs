//! Pages of the clients and memberships stored under an incarnation.

use roomwire_core::{ClientId, ClientKey, Incarnation, Namespace, Page, PageRequest, RoomKey, StoredClient};

use crate::state::State;

/// Separates the namespace from the client id in a cursor; no namespace contains it.
const SEPARATOR: char = ',';

impl State {
    /// One item for each client: here the data of a client is in one place.
    pub(crate) fn stored_clients(&self, incarnation: &Incarnation, wanted: &PageRequest) -> Page<StoredClient> {
        let last = match wanted.cursor() {
            Some(cursor) => match client_at(cursor) {
                Some(last) => Some(last),
                // Not a cursor of this store; nothing follows it.
                None => return Page { items: Vec::new(), next: None },
            },
            None => None,
        };
        let mut rest = self.incarnations.clients_after(incarnation, last.as_ref());
        let items = Vec::from_iter(rest.by_ref().take(wanted.limit()).map(|client| self.stored_client(client)));
        let next = rest.next().and(items.last()).map(|last| cursor_of(&last.key));
        Page { items, next }
    }

    fn stored_client(&self, client: &ClientKey) -> StoredClient {
        let entry = self.clients.get(&client.namespace, &client.client);
        let rooms = entry.into_iter().flat_map(|entry| &entry.rooms);
        let rooms: Vec<_> = rooms.map(|room| RoomKey::new(client.namespace.clone(), room.clone())).collect();
        StoredClient {
            key: client.clone(),
            registered: entry.is_some(),
            user: entry.and_then(|entry| entry.user.clone()),
            named: rooms.clone(),
            rooms,
            is_damaged: false,
        }
    }
}

fn cursor_of(client: &ClientKey) -> String {
    format!("{}{SEPARATOR}{}", client.namespace, client.client)
}

fn client_at(cursor: &str) -> Option<ClientKey> {
    let (namespace, client) = cursor.split_once(SEPARATOR)?;
    Some(ClientKey::new(Namespace::new(namespace).ok()?, ClientId::new(client).ok()?))
}
