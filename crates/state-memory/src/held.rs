//! What is held under a life, a page at a time.

use roomwire_core::{ClientId, ClientKey, HeldClient, Incarnation, Namespace, Page, PageRequest, RoomKey};

use crate::world::World;

/// Between the namespace and the id of the client a page ended with; no namespace has it in its name.
const SEPARATOR: char = ',';

impl World {
    /// One item a client: here a client and its memberships are never apart.
    pub(crate) fn held_page(&self, life: &Incarnation, wanted: &PageRequest) -> Page<HeldClient> {
        let last = match wanted.cursor() {
            Some(cursor) => match client_at(cursor) {
                Some(last) => Some(last),
                // Of no page of ours; nothing comes after it.
                None => return Page { items: Vec::new(), next: None },
            },
            None => None,
        };
        let mut rest = self.lives.clients_after(life, last.as_ref());
        let items = Vec::from_iter(rest.by_ref().take(wanted.limit()).map(|client| self.held(client)));
        let next = rest.next().and(items.last()).map(|last| cursor_of(&last.key));
        Page { items, next }
    }

    fn held(&self, client: &ClientKey) -> HeldClient {
        let entry = self.clients.get(&client.namespace, &client.client);
        let rooms = entry.into_iter().flat_map(|entry| &entry.rooms);
        HeldClient {
            key: client.clone(),
            registered: entry.is_some(),
            rooms: rooms.map(|room| RoomKey::new(client.namespace.clone(), room.clone())).collect(),
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
