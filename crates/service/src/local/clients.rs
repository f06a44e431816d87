//! This node's clients of a namespace, by their ids and by their users.

use std::collections::{BTreeMap, HashMap};

use roomwire_core::{ClientId, UserId};

use super::Client;

/// Clients, each once. Users without clients have no entry.
#[derive(Debug, Default)]
pub(super) struct LocalClients {
    by_id: HashMap<ClientId, Client>,
    by_user: HashMap<UserId, BTreeMap<ClientId, Client>>,
}

impl LocalClients {
    pub(super) fn by_id(&self) -> &HashMap<ClientId, Client> {
        &self.by_id
    }

    /// A user's clients, sorted by id.
    pub(super) fn of_user(&self, user: &UserId) -> impl Iterator<Item = &Client> {
        self.by_user.get(user).into_iter().flat_map(BTreeMap::values)
    }

    /// Replaces another connection with this id.
    pub(super) fn add(&mut self, client: Client) {
        if let Some(before) = self.by_id.remove(client.id()) {
            self.disown(&before);
        }
        if let Some(user) = client.user() {
            self.by_user.entry(user.clone()).or_default().insert(client.id().clone(), client.clone());
        }
        self.by_id.insert(client.id().clone(), client);
    }

    /// Removes a client, unless another connection took its id.
    pub(super) fn remove(&mut self, client: &Client) {
        if self.by_id.get(client.id()) == Some(client) {
            self.by_id.remove(client.id());
            self.disown(client);
        }
    }

    fn disown(&mut self, client: &Client) {
        let Some(user) = client.user() else { return };
        let Some(clients) = self.by_user.get_mut(user) else { return };
        clients.remove(client.id());
        if clients.is_empty() {
            self.by_user.remove(user);
        }
    }
}

/// Calls `deliver` for each of these clients except one.
pub(super) fn for_each(
    clients: &HashMap<ClientId, Client>,
    except: Option<&ClientId>,
    mut deliver: impl FnMut(&Client),
) {
    let except = except.and_then(|except| clients.get(except));
    for client in clients.values() {
        if Some(client) != except {
            deliver(client);
        }
    }
}
