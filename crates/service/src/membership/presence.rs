//! Which clients of a namespace the store may hold: from before it is told of one until it is told that it is gone.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use roomwire_core::ClientId;
use tokio::sync::Notify;

/// The clients that are on their way in, here, or on their way out.
///
/// Whoever wants to take a client out of the store that is not among them claims its id, and whoever comes with that id
/// waits until that is done.
#[derive(Debug, Default)]
pub(crate) struct Presences {
    present: Mutex<HashMap<ClientId, Presence>>,
    unclaimed: Notify,
}

#[derive(Debug)]
enum Presence {
    /// So many: one that goes and one that comes may have the same id.
    Clients(usize),
    Claimed,
}

/// A client counts as present as long as this lives.
#[derive(Debug)]
pub(crate) struct Present {
    client: ClientId,
    among: Arc<Presences>,
}

/// No client of this id comes as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    client: ClientId,
    among: Arc<Presences>,
}

impl Presences {
    /// Counts a client as present. Waits while its id is claimed.
    pub(super) async fn enter(self: &Arc<Self>, client: &ClientId) -> Present {
        loop {
            let unclaimed = self.unclaimed.notified();
            if self.try_enter(client) {
                return Present { client: client.clone(), among: self.clone() };
            }
            unclaimed.await;
        }
    }

    fn try_enter(&self, client: &ClientId) -> bool {
        match self.present.lock().entry(client.clone()).or_insert(Presence::Clients(0)) {
            Presence::Clients(count) => {
                *count += 1;
                true
            }
            Presence::Claimed => false,
        }
    }

    /// Claims an id; none when a client of this id is present, or the id is claimed.
    pub(crate) fn claim(self: &Arc<Self>, client: &ClientId) -> Option<Claim> {
        match self.present.lock().entry(client.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(Presence::Claimed);
                Some(Claim { client: client.clone(), among: self.clone() })
            }
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut present = self.among.present.lock();
        if let Some(Presence::Clients(count)) = present.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.client);
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.among.present.lock().remove(&self.client);
        self.among.unclaimed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use roomwire_core::ClientId;

    use super::Presences;

    #[tokio::test]
    async fn who_is_present_is_not_claimed_and_who_comes_waits_for_a_claim_to_end() {
        let (presences, ada) = (Arc::new(Presences::default()), ClientId::new("ada").expect("valid"));
        let (goes, comes) = (presences.enter(&ada).await, presences.enter(&ada).await);
        drop(goes);
        assert!(presences.claim(&ada).is_none());
        drop(comes);
        let claim = presences.claim(&ada).expect("nobody is there");
        assert!(presences.claim(&ada).is_none());
        let late = tokio::spawn({
            let (presences, ada) = (presences.clone(), ada.clone());
            async move { presences.enter(&ada).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!late.is_finished());
        drop(claim);
        let present = late.await.expect("no panic");
        assert!(presences.claim(&ada).is_none());
        drop(present);
        assert!(presences.present.lock().is_empty());
    }
}
