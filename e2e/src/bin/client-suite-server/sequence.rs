//! Events that must arrive in the order in which the client sent them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use roomwire_service::{Client, ClientId, Data, Error, Event, EventName, Handler, Payload, State};
use serde::de::DeserializeOwned;

/// The events of a sequence that each client has sent so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences(Arc<Mutex<HashMap<ClientId, Vec<EventName>>>>);

impl Sequences {
    /// Records an event. Returns the names of those before it.
    fn record(&self, client: &ClientId, event: &EventName) -> Vec<EventName> {
        let mut sequences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = sequences.entry(client.clone()).or_default();
        let before = sequence.clone();
        sequence.push(event.clone());
        before
    }
}

/// Handles an event that carries a `T` and must follow exactly these events. The last event of a sequence is confirmed
/// by an event to the client.
pub(crate) fn follows<T: DeserializeOwned + Send + 'static>(
    expected: &'static [&'static str],
    confirmation: Option<&'static str>,
) -> impl Handler<(Event, State<Sequences>, Data<T>)> {
    move |event: Event, State(sequences): State<Sequences>, _: Data<T>| async move {
        let before = sequences.record(event.client().id(), event.name());
        if !before.iter().map(EventName::as_str).eq(expected.iter().copied()) {
            return Err(Error::application("OUT_OF_ORDER", format!("{} arrived after {before:?}", event.name())));
        }
        match confirmation {
            Some(name) => event.service().send_to_client(event.client(), name, Payload::default()).await,
            None => Ok(()),
        }
    }
}

/// Removes the sequence of a client that has disconnected.
pub(crate) async fn forget(client: Client, State(sequences): State<Sequences>) -> Result<(), Error> {
    sequences.0.lock().unwrap_or_else(PoisonError::into_inner).remove(client.id());
    Ok(())
}
