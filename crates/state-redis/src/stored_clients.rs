//! Reads the entries of an incarnation, and whether they are consistent.

use std::string::FromUtf8Error;

use redis::{FromRedisValue, Value};
use roomwire_core::{Incarnation, Page, PageRequest, RoomId, RoomKey, StateError, StoredClient, UserId};

use crate::{
    cursor::{Found, Pager},
    reaping::{client_of, departure},
    router::Repeat,
    script,
    state::{Shared, args},
};

/// The number of entries that one script reads: all other calls wait for it.
const AT_ONCE: usize = 100;

/// A client as returned by `scan.lua`: entry, whether the record is the incarnation's own, whether all is consistent,
/// user, rooms.
type Registration = (Vec<u8>, u8, u8, Option<Vec<u8>>, Vec<Vec<u8>>);

impl Shared {
    /// The registrations of all partitions first, then the memberships of all. Invalid entries are removed.
    pub(crate) async fn stored_clients(
        &self,
        incarnation: &Incarnation,
        wanted: &PageRequest,
    ) -> Result<Page<StoredClient>, StateError> {
        let partitions: Vec<_> = self.router.keys.partitions().collect();
        let mut pager = Pager::new(wanted, partitions.len() * 2);
        while let Some(step) = pager.step() {
            let registered = step.list < partitions.len();
            let kind = if registered { "registered" } else { "memberships" };
            let args = args![kind, step.scan, step.count.min(AT_ONCE), incarnation];
            let partition = partitions[step.list % partitions.len()];
            let mut reply = self.run(&script::SCAN, partition, &args, Repeat::Always).await?;
            let next = reply.next()?;
            let (mut items, mut foreign) = (Vec::new(), Vec::new());
            for item in reply.next::<Vec<Value>>()? {
                match if registered { registration(item) } else { membership(item) }? {
                    Ok((entry, read)) => items.push((entry, read)),
                    Err(entry) => foreign.push(entry),
                }
            }
            if !foreign.is_empty() {
                self.discard(partition, incarnation, if registered { "nc" } else { "n" }, foreign).await?;
            }
            pager.take(Found { next, items });
        }
        Ok(pager.page())
    }
}

/// A parsed entry of a list, or the bytes of an invalid one.
type Entry = Result<(String, StoredClient), Vec<u8>>;

fn registration(item: Value) -> Result<Entry, StateError> {
    let (entry, is_own, agrees, user, rooms): Registration = read(item)?;
    Ok(named(entry, client_of, |key| {
        let rooms = rooms.into_iter().filter_map(|room| RoomId::new(text(room)?).ok());
        let named = rooms.map(|room| RoomKey::new(key.namespace.clone(), room)).collect();
        let user = user.and_then(|user| UserId::new(text(user)?).ok());
        StoredClient { key, registered: is_own == 1, user, named, rooms: Vec::new(), is_damaged: agrees == 0 }
    }))
}

fn membership(item: Value) -> Result<Entry, StateError> {
    let (entry, agrees): (Vec<u8>, u8) = read(item)?;
    Ok(named(entry, departure, |found| StoredClient {
        key: found.client,
        registered: false,
        user: None,
        named: Vec::new(),
        rooms: vec![found.room],
        is_damaged: agrees == 0,
    }))
}

fn named<T>(entry: Vec<u8>, parse: impl Fn(&str) -> Option<T>, stored: impl FnOnce(T) -> StoredClient) -> Entry {
    let entry = String::from_utf8(entry).map_err(FromUtf8Error::into_bytes)?;
    match parse(&entry) {
        Some(parsed) => Ok((entry, stored(parsed))),
        None => Err(entry.into_bytes()),
    }
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

fn read<T: FromRedisValue>(item: Value) -> Result<T, StateError> {
    redis::from_redis_value(item).map_err(|error| StateError::unavailable(error.to_string()))
}
