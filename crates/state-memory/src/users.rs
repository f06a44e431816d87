//! The clients of each user.

use std::collections::BTreeMap;

use roomwire_core::{ClientId, ClientKey, Namespace, Page, PageRequest, UserId, WebSocketClient};

use crate::{state::State, table};

/// The clients of each user. Users without clients are not kept.
#[derive(Debug, Default)]
pub(crate) struct Users(BTreeMap<(Namespace, UserId), BTreeMap<ClientId, ()>>);

impl Users {
    /// Adds a client to its user. Does nothing for a client without a user.
    pub(crate) fn own(&mut self, user: Option<&UserId>, client: &ClientKey) {
        if let Some(user) = user {
            let clients = self.0.entry((client.namespace.clone(), user.clone())).or_default();
            clients.insert(client.client.clone(), ());
        }
    }

    /// Removes a client from its user, because it has disconnected or belongs to another user now.
    pub(crate) fn disown(&mut self, user: Option<&UserId>, client: &ClientKey) {
        let Some(user) = user else { return };
        let whose = (client.namespace.clone(), user.clone());
        let Some(clients) = self.0.get_mut(&whose) else { return };
        clients.remove(&client.client);
        if clients.is_empty() {
            self.0.remove(&whose);
        }
    }

    fn of(&self, namespace: &Namespace, user: &UserId) -> Option<&BTreeMap<ClientId, ()>> {
        self.0.get(&(namespace.clone(), user.clone()))
    }
}

impl State {
    pub(crate) fn user_client_page(
        &self,
        namespace: &Namespace,
        user: &UserId,
        wanted: &PageRequest,
    ) -> Page<WebSocketClient> {
        let record = |client: &ClientId| self.client(&ClientKey::new(namespace.clone(), client.clone()));
        let Page { items, next } = table::page(self.users.of(namespace, user), wanted, |client, ()| record(client));
        // Every listed client has a record: both are changed in one step.
        Page { items: items.into_iter().flatten().collect(), next }
    }

    pub(crate) fn user_client_count(&self, namespace: &Namespace, user: &UserId) -> u64 {
        self.users.of(namespace, user).map_or(0, |clients| clients.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::{ClientId, ClientKey, Namespace, UserId};

    use super::Users;

    #[test]
    fn nothing_is_kept_of_a_user_without_clients() {
        let (ada, mut users) = (UserId::new("ada").expect("valid"), Users::default());
        let clients = ["a", "b"].map(|name| ClientKey::new(Namespace::root(), ClientId::new(name).expect("valid")));
        for client in &clients {
            users.own(Some(&ada), client);
            users.own(None, client);
        }
        users.disown(None, &clients[0]);
        assert_eq!(users.of(&Namespace::root(), &ada).map(std::collections::BTreeMap::len), Some(2));
        for client in &clients {
            users.disown(Some(&ada), client);
        }
        assert!(users.0.is_empty());
    }
}
