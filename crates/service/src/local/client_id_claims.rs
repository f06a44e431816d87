//! The client ids in use on this node: one session of a client id at a time.
//!
//! A Socket.IO client keeps its id when it leaves a namespace and connects to it again on the same connection. The
//! store, the rooms and the events know a client by its id alone, so its next session begins when the former has ended.

use std::{
    collections::{
        HashMap,
        hash_map::{
            Entry::{Occupied, Vacant},
            VacantEntry,
        },
    },
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_core::ClientId;
use tokio::{sync::Notify, time::Instant};

/// How long the cleanup after a disconnect waits for the handlers of earlier events, and how long the next session of
/// the same client id waits for `on_disconnect`.
pub(crate) const HANDLER_GRACE: Duration = Duration::from_secs(5);

/// The shortest time between two warnings about an unreleased id.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The claimed client ids of a namespace.
#[derive(Debug, Default)]
pub(crate) struct ClientIdClaims {
    claimed: Mutex<HashMap<ClientId, Entry>>,
    warned_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Entry {
    claim: WeakClaim,
    /// Set once a caller waits for the end of the claim.
    released: Option<Arc<Notify>>,
}

/// The exclusive use of a client id on this node. Its clones are one claim, which ends when the last of them is
/// dropped.
#[derive(Clone, Debug)]
pub(crate) struct ClientIdClaim(Arc<Claimed>);

/// A reference that does not keep the id claimed.
#[derive(Clone, Debug)]
pub(crate) struct WeakClaim(Weak<Claimed>);

#[derive(Debug)]
struct Claimed {
    client: ClientId,
    claims: Arc<ClientIdClaims>,
    is_deregistered: AtomicBool,
}

impl ClientIdClaims {
    /// Claims an id; waits while it is claimed.
    ///
    /// # Cancellation
    /// Dropping the future claims nothing.
    pub(crate) async fn claim(self: &Arc<Self>, client: &ClientId) -> ClientIdClaim {
        loop {
            let released = match self.claimed.lock().entry(client.clone()) {
                Vacant(free) => return self.insert(free),
                // Created under the lock: no release is missed.
                Occupied(claimed) => claimed.into_mut().released.get_or_insert_default().clone().notified_owned(),
            };
            released.await;
        }
    }

    /// Claims an id to remove it from the store. It must be unclaimed, or of a deregistered client; then its claim is
    /// shared.
    pub(crate) fn claim_absent(self: &Arc<Self>, client: &ClientId) -> Option<ClientIdClaim> {
        match self.claimed.lock().entry(client.clone()) {
            Vacant(free) => Some(self.insert(free)),
            Occupied(claimed) => {
                claimed.get().claim.upgrade().filter(|claim| claim.0.is_deregistered.load(Ordering::Acquire))
            }
        }
    }

    /// Whether to log that an id was not released.
    pub(crate) fn is_warning_due(&self) -> bool {
        let mut warned_at = self.warned_at.lock();
        let is_due = warned_at.is_none_or(|before| before.elapsed() >= WARN_EVERY);
        if is_due {
            *warned_at = Some(Instant::now());
        }
        is_due
    }

    fn insert(self: &Arc<Self>, free: VacantEntry<'_, ClientId, Entry>) -> ClientIdClaim {
        let (client, claims) = (free.key().clone(), self.clone());
        let claim = ClientIdClaim(Arc::new(Claimed { client, claims, is_deregistered: AtomicBool::new(false) }));
        free.insert(Entry { claim: claim.downgrade(), released: None });
        claim
    }
}

impl ClientIdClaim {
    /// Records that the store has removed the client, or that the call is queued.
    pub(crate) fn deregistered(&self) {
        self.0.is_deregistered.store(true, Ordering::Release);
    }

    pub(crate) fn downgrade(&self) -> WeakClaim {
        WeakClaim(Arc::downgrade(&self.0))
    }
}

impl WeakClaim {
    /// The claim, unless it has ended.
    pub(crate) fn upgrade(&self) -> Option<ClientIdClaim> {
        self.0.upgrade().map(ClientIdClaim)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let ended = self.claims.claimed.lock().remove(&self.client);
        if let Some(released) = ended.and_then(|entry| entry.released) {
            released.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use futures_util::{future::join_all, poll};
    use roomwire_core::ClientId;
    use tokio::task::yield_now;

    use super::ClientIdClaims;

    fn ada() -> ClientId {
        ClientId::new("ada").expect("valid")
    }

    #[tokio::test]
    async fn the_id_of_a_deregistered_stay_is_not_claimed_for_another_but_may_be_taken_out_of_the_store() {
        let claims = Arc::new(ClientIdClaims::default());
        let claim = claims.claim(&ada()).await;
        assert!(claims.claim_absent(&ada()).is_none());
        claim.deregistered();
        let absent = claims.claim_absent(&ada()).expect("the store is to know nothing of it");
        drop(claim);
        let (claims, ada) = (&claims, ada());
        let mut next = pin!(claims.claim(&ada));
        assert!(poll!(next.as_mut()).is_pending(), "the store is being told");
        drop(absent);
        let next = next.await;
        assert!(claims.claim_absent(&ada).is_none(), "the next stay is registered");
        drop(next);
        assert!(claims.claimed.lock().is_empty());
    }

    #[tokio::test]
    async fn an_id_is_claimed_again_when_the_last_clone_of_its_claim_is_dropped() {
        let claims = Arc::new(ClientIdClaims::default());
        let (of_client, bob) = (claims.claim(&ada()).await, ClientId::new("bob").expect("valid"));
        let (of_session, weak) = (of_client.clone(), of_client.downgrade());
        assert!(claims.claim_absent(&ada()).is_none());
        claims.claim_absent(&bob).expect("ids are claimed one by one");
        let next = tokio::spawn({
            let claims = claims.clone();
            async move { claims.claim(&ada()).await }
        });
        yield_now().await;
        drop(of_client);
        yield_now().await;
        assert!(!next.is_finished() && weak.upgrade().is_some());
        drop(of_session);
        let next = next.await.expect("no panic");
        assert!(weak.upgrade().is_none(), "a claim of the former stay is not one of the next");
        assert!(claims.claim_absent(&ada()).is_none());
        drop(next);
        assert!(claims.claimed.lock().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_callers_one_at_a_time_has_the_claim_and_each_has_it_once() {
        let claims = Arc::new(ClientIdClaims::default());
        let in_use = Arc::new(AtomicUsize::new(0));
        let callers = (0..1000).map(|_| {
            let (claims, in_use) = (claims.clone(), in_use.clone());
            tokio::spawn(async move {
                let claim = claims.claim(&ada()).await;
                assert_eq!(in_use.fetch_add(1, Ordering::SeqCst), 0);
                yield_now().await;
                in_use.fetch_sub(1, Ordering::SeqCst);
                drop(claim);
            })
        });
        for caller in join_all(callers).await {
            caller.expect("no panic");
        }
        assert!(claims.claimed.lock().is_empty());
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_claims_nothing() {
        let (claims, ada) = (Arc::new(ClientIdClaims::default()), ada());
        let claim = claims.claim(&ada).await;
        {
            let mut waiting = pin!(claims.claim(&ada));
            assert!(poll!(waiting.as_mut()).is_pending());
            drop(claim);
        }
        assert!(claims.claimed.lock().is_empty());
    }
}
