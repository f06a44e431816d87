//! What other nodes ask of clients that the store knows already and that do not take part yet.
//!
//! From the moment a client is registered the store says where it is. A message that another node sends there may come
//! before the client was told that it is connected; it waits until then.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use roomwire_core::ClientId;

type Action = Box<dyn FnOnce() + Send>;

/// The clients of a namespace that are being registered, or are registered and do not take part yet.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<HashMap<ClientId, Waiting>>);

#[derive(Default)]
struct Waiting {
    actions: Vec<Action>,
    has_overflowed: bool,
}

/// A client that arrives, as long as this lives. What waits for it is dropped with this.
#[derive(Debug)]
pub(crate) struct Arrival {
    client: ClientId,
    arrivals: Arc<Arrivals>,
}

impl Arrivals {
    /// Begins to keep what comes for a client. Its id must be claimed.
    pub(super) fn begin(self: &Arc<Self>, client: &ClientId) -> Arrival {
        self.0.lock().insert(client.clone(), Waiting::default());
        Arrival { client: client.clone(), arrivals: self.clone() }
    }

    /// Runs an action for a client: at once, or when it takes part if it is about to arrive. Actions run in the order
    /// of the calls. At most `limit` actions wait for one client; more are dropped, which [`Arrival::end`] tells.
    pub(crate) fn run_or_defer(&self, client: &ClientId, limit: usize, action: impl FnOnce() + Send + 'static) {
        let mut arriving = self.0.lock();
        match arriving.get_mut(client) {
            Some(waiting) if waiting.actions.len() >= limit => waiting.has_overflowed = true,
            Some(waiting) => waiting.actions.push(Box::new(action)),
            None => {
                drop(arriving);
                action();
            }
        }
    }
}

impl Arrival {
    /// The client takes part: runs what waits for it. Nothing that comes later overtakes it. False when something was
    /// dropped.
    pub(super) fn end(self) -> bool {
        let mut arriving = self.arrivals.0.lock();
        let waiting = arriving.remove(&self.client).unwrap_or_default();
        // Under the lock, which the next action waits for.
        waiting.actions.into_iter().for_each(|action| action());
        !waiting.has_overflowed
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arrivals.0.lock().remove(&self.client);
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use roomwire_core::ClientId;

    use super::Arrivals;

    #[test]
    fn what_comes_for_a_client_that_arrives_waits_in_order_and_no_longer_than_it() {
        let (arrivals, done) = (Arc::new(Arrivals::default()), Arc::new(Mutex::new(Vec::new())));
        let [ada, bob] = ["ada", "bob"].map(|name| ClientId::new(name).expect("valid"));
        let act = |client: &ClientId, number: usize| {
            let done = done.clone();
            arrivals.run_or_defer(client, 2, move || done.lock().push(number));
        };
        let arrival = arrivals.begin(&ada);
        act(&ada, 1);
        act(&bob, 2);
        act(&ada, 3);
        assert_eq!(*done.lock(), [2]);
        assert!(arrival.end());
        act(&ada, 4);
        assert_eq!(*done.lock(), [2, 1, 3, 4]);

        let arrival = arrivals.begin(&ada);
        (5..8).for_each(|number| act(&ada, number));
        assert!(!arrival.end(), "the third was dropped");
        assert_eq!(*done.lock(), [2, 1, 3, 4, 5, 6]);

        let arrival = arrivals.begin(&ada);
        act(&ada, 8);
        drop(arrival);
        act(&ada, 9);
        assert_eq!(*done.lock(), [2, 1, 3, 4, 5, 6, 9], "what waited for a client that never took part is gone");
    }
}
