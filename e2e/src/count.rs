//! Whether numbered events of a client are handled in order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roomwire_service::{Client, ClientId, Data, Error, State};
use serde_json::{Value, json};

/// What came from each client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<Mutex<HashMap<ClientId, Seen>>>);

#[derive(Debug, Default)]
struct Seen {
    next: u64,
    seen: u64,
    out_of_order: u64,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn count(client: Client, State(counts): State<Counts>, Data(number): Data<u64>) -> Result<(), Error> {
    let mut counts = counts.lock();
    let seen = counts.entry(client.id().clone()).or_default();
    seen.seen += 1;
    if number != seen.next {
        seen.out_of_order += 1;
    }
    seen.next = number + 1;
    Ok(())
}

pub(crate) async fn report(client: Client, State(counts): State<Counts>) -> Result<Value, Error> {
    let counts = counts.lock();
    let (seen, out_of_order) = counts.get(client.id()).map_or((0, 0), |seen| (seen.seen, seen.out_of_order));
    Ok(json!({ "seen": seen, "outOfOrder": out_of_order }))
}

pub(crate) fn forget(client: &Client, counts: &Counts) {
    counts.lock().remove(client.id());
}
