//! Who went from an address a moment ago, and may come back.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use roomwire_core::AddressKey;
use tokio::sync::{Notify, futures::OwnedNotified};

use super::{Allowance, Pace, exits::Exits, pace::nanoseconds};

/// So long after somebody at an address changed something, who comes from there may be the same.
const BUSY: Duration = Duration::from_secs(1);

/// What one client may still change, and what is still to be done after it. Who comes back from the same address before
/// all of that is settled goes on with it.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(super) allowance: Allowance,
    pub(super) exits: Exits,
    /// The clients of it whose rooms are not left yet.
    pub(super) clients: AtomicUsize,
}

impl Account {
    fn new(last_turn: &Arc<AtomicU64>) -> Self {
        Self { allowance: Allowance::at(last_turn), ..Self::default() }
    }

    /// Whether a new account would be the same.
    fn is_settled(&self, pace: &Pace) -> bool {
        self.clients.load(Ordering::Acquire) == 0 && self.exits.are_done() && pace.has_all(&self.allowance)
    }
}

/// The clients of each address.
#[derive(Debug, Default)]
pub(super) struct Returners {
    addresses: HashMap<AddressKey, Address>,
    /// How many more may go before what is settled is looked for.
    until_tidy: usize,
}

#[derive(Debug, Default)]
struct Address {
    /// How many are here.
    stays: usize,
    /// The accounts of those who went.
    gone: Vec<Arc<Account>>,
    last_turn: Arc<AtomicU64>,
    went: Arc<Notify>,
}

/// What somebody who comes goes on with.
pub(super) enum Coming {
    /// With what was left by who went.
    Back(Arc<Account>),
    /// With nothing.
    New(Arc<Account>),
    /// That will be known when somebody goes, or nobody does.
    Unknown(OwnedNotified),
}

impl Returners {
    /// So many go at least before they are looked through.
    pub(super) const ROOM: usize = 64;

    /// Somebody comes, who is counted unless it cannot be known yet with what; it is known where it cannot wait.
    pub(super) fn come(&mut self, address: AddressKey, pace: &Pace, can_wait: bool) -> Coming {
        let address = self.addresses.entry(address).or_default();
        address.gone.retain(|account| !account.is_settled(pace));
        // Of several the one with most left: who used up more is not made to wait less, and its neighbours not for it.
        let richest = (0..address.gone.len()).min_by_key(|at| Pace::full_at(&address.gone[*at].allowance));
        if let Some(richest) = richest {
            address.stays += 1;
            return Coming::Back(address.gone.swap_remove(richest));
        }
        let now = nanoseconds(pace.now());
        let busy_until = address.last_turn.load(Ordering::Relaxed).saturating_add(nanoseconds(BUSY));
        if can_wait && address.stays > 0 && now < busy_until {
            return Coming::Unknown(address.went.clone().notified_owned());
        }
        address.stays += 1;
        // To come is a turn, though the first costs nothing.
        address.last_turn.fetch_max(now, Ordering::Relaxed);
        Coming::New(Arc::new(Account::new(&address.last_turn)))
    }

    /// Somebody goes, and may come back.
    pub(super) fn go(&mut self, address: AddressKey, account: Arc<Account>, pace: &Pace) {
        if self.until_tidy == 0 {
            self.tidy(pace);
        }
        self.until_tidy -= 1;
        let Some(address) = self.addresses.get_mut(&address) else { return };
        address.stays -= 1;
        address.gone.push(account);
        address.went.notify_waiters();
    }

    /// Forgets what is settled, after as many calls as were left the last time: a call costs the same on average.
    fn tidy(&mut self, pace: &Pace) {
        self.addresses.retain(|_, address| {
            address.gone.retain(|account| !account.is_settled(pace));
            address.stays > 0 || !address.gone.is_empty()
        });
        self.addresses.shrink_to(self.addresses.len() * 2);
        self.until_tidy = self.len() + Self::ROOM;
    }

    /// How many are here, and how many accounts are kept.
    pub(super) fn len(&self) -> usize {
        self.addresses.values().map(|address| address.stays + address.gone.len()).sum()
    }
}
