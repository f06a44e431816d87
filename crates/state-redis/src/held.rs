//! What is held under a life.

use std::collections::BTreeMap;

use roomwire_core::{ClientKey, HeldClient, Incarnation, Page, PageRequest, StateError};

use crate::{
    cursor::{Found, Pager},
    reaping::{client_of, departure},
    reply::corrupt,
    router::Repeat,
    script,
    state::{Shared, args},
};

impl Shared {
    /// The registrations of all partitions first, then the memberships of all.
    pub(crate) async fn held(&self, life: &Incarnation, wanted: &PageRequest) -> Result<Page<HeldClient>, StateError> {
        let partitions: Vec<_> = self.router.keys.partitions().collect();
        let mut pager = Pager::new(wanted, partitions.len() * 2);
        while let Some(step) = pager.step() {
            let registered = step.list < partitions.len();
            let kind = if registered { "registered" } else { "memberships" };
            let args = args![kind, step.scan, step.count, life];
            let partition = partitions[step.list % partitions.len()];
            let mut reply = self.run(&script::SCAN, partition, &args, Repeat::Always).await?;
            let next = reply.next()?;
            let entries: Vec<String> = reply.next()?;
            let items = entries.into_iter().map(|entry| {
                let read = if registered { client_of(&entry).map(registration) } else { membership(&entry) };
                Ok((entry.clone(), read.ok_or_else(|| corrupt("an entry of a life", &entry))?))
            });
            pager.take(Found { next, items: items.collect::<Result<_, StateError>>()? });
        }
        let Page { items, next } = pager.page();
        let mut clients = BTreeMap::<ClientKey, HeldClient>::new();
        for item in items {
            match clients.get_mut(&item.key) {
                Some(known) => {
                    known.registered |= item.registered;
                    known.rooms.extend(item.rooms);
                }
                None => drop(clients.insert(item.key.clone(), item)),
            }
        }
        Ok(Page { items: clients.into_values().collect(), next })
    }
}

fn registration(key: ClientKey) -> HeldClient {
    HeldClient { key, registered: true, rooms: Vec::new() }
}

fn membership(entry: &str) -> Option<HeldClient> {
    let found = departure(entry)?;
    Some(HeldClient { key: found.client, registered: false, rooms: vec![found.room] })
}
