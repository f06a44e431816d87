//! What is held under an incarnation, a page at a time.

use roomwire_core::{ClientId, ClientKey, Incarnation, Namespace, Page, PageRequest, RoomKey, StoredClient};

use crate::state::State;

/// Between the namespace and the id of the client a page ended with; no namespace has it in its name.
const SEPARATOR: char = ',';

impl State {
    /// One item a client: here a client and its memberships are never apart.
    pub(crate) fn held_page(&self, incarnation: &Incarnation, wanted: &PageRequest) -> Page<StoredClient> {
        let last = match wanted.cursor() {
            Some(cursor) => match client_at(cursor) {
                Some(last) => Some(last),
                // Of no page of ours; nothing comes after it.
                None => return Page { items: Vec::new(), next: None },
            },
            None => None,
        };
        let mut rest = self.incarnations.clients_after(incarnation, last.as_ref());
        let items = Vec::from_iter(rest.by_ref().take(wanted.limit()).map(|client| self.held(client)));
        let next = rest.next().and(items.last()).map(|last| cursor_of(&last.key));
        Page { items, next }
    }

    fn held(&self, client: &ClientKey) -> StoredClient {
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
