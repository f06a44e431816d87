//! Many clients.

use std::{collections::BTreeSet, ops::Deref};

use futures_util::{StreamExt, stream};

use crate::{Client, Comeback, View, client::Servers, ledger::Membership};

/// How many clients come at a time.
const AT_ONCE: usize = 64;

/// Clients that come together.
#[derive(Debug, Default)]
pub struct Crowd(Vec<Client>);

impl Crowd {
    /// Connects clients, each to the server of its number, and lets them join the rooms of their number.
    ///
    /// # Panics
    /// When one is not let in, or may not join.
    pub(crate) async fn come(
        clients: usize,
        servers: &Servers,
        server_of: fn(usize) -> usize,
        comeback: Comeback,
        rooms_of: impl Fn(usize) -> Vec<String>,
    ) -> Self {
        let one = |index: usize| {
            let (servers, rooms) = (servers.clone(), rooms_of(index));
            async move {
                let client = Client::connect(servers, server_of(index), comeback).await;
                for room in rooms {
                    if let Err(code) = client.join(&room).await {
                        panic!("client {index} cannot join {room}: {code}");
                    }
                }
                client
            }
        };
        Self(stream::iter(0..clients).map(one).buffered(AT_ONCE).collect().await)
    }

    /// The memberships that they believe.
    #[must_use]
    pub fn view(&self, names: &[String]) -> View {
        let mut view = View::default();
        for client in &self.0 {
            let belief = client.belief();
            if let Some(id) = &belief.id {
                view.add(id, &names[belief.server], belief.rooms.clone());
            }
        }
        view
    }

    /// The memberships they believe in.
    #[must_use]
    pub fn memberships(&self) -> BTreeSet<Membership> {
        let mut memberships = BTreeSet::new();
        for client in &self.0 {
            let belief = client.belief();
            if let Some(id) = &belief.id {
                memberships.extend(belief.rooms.iter().map(|room| (room.clone(), id.clone())));
            }
        }
        memberships
    }

    /// Those that are connected to one of the servers.
    pub fn on(&self, server: usize) -> impl Iterator<Item = &Client> {
        self.0.iter().filter(move |client| {
            let belief = client.belief();
            belief.id.is_some() && belief.server == server
        })
    }

    /// Lets all of them forget what they heard.
    pub fn forget(&self) {
        self.0.iter().for_each(|client| client.belief().heard.clear());
    }

    /// How often any of them lost its connection.
    #[must_use]
    pub fn disconnects(&self) -> usize {
        self.0.iter().map(|client| client.belief().former.len()).sum()
    }
}

impl Deref for Crowd {
    type Target = [Client];

    fn deref(&self) -> &[Client] {
        &self.0
    }
}
