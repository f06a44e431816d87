//! Requests of other nodes for clients that are registered in the store but not active yet.
//!
//! The store returns a client's location from the moment it is registered. A message that another node sends there may
//! arrive before the client's CONNECT packet was sent; it waits until then.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use roomwire_core::ClientId;

type Action = Box<dyn FnOnce() + Send>;

/// The clients of a namespace that are being registered, or are registered and not active yet.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<HashMap<ClientId, Waiting>>);

#[derive(Default)]
struct Waiting {
    actions: Vec<Action>,
    has_overflowed: bool,
}

/// A client that is connecting, for the lifetime of this value. Dropping it drops the waiting actions.
#[derive(Debug)]
pub(crate) struct Arrival {
    client: ClientId,
    arrivals: Arc<Arrivals>,
}

impl Arrivals {
    /// Begins to queue actions for a client. Its id must be claimed.
    pub(crate) fn begin(self: &Arc<Self>, client: &ClientId) -> Arrival {
        self.0.lock().insert(client.clone(), Waiting::default());
        Arrival { client: client.clone(), arrivals: self.clone() }
    }

    /// Runs an action for a client: at once, or when it is activated if it is connecting. Actions run in the order of
    /// the calls. At most `limit` actions wait for one client; more are dropped, which [`Arrival::end`] reports.
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
    /// Activates the client: runs the waiting actions in order. Later actions cannot overtake them. Returns false if an
    /// action was dropped.
    pub(crate) fn end(self) -> bool {
        let mut arriving = self.arrivals.0.lock();
        let waiting = arriving.remove(&self.client).unwrap_or_default();
        // Under the lock, so that the next action waits.
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
