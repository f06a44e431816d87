//! A client comes, goes, and comes back: its allowance of changes is the same.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use roomwire_core::AddressKey;

use super::{Allowance, Pace, exits::Exits};

/// What one client may still change, and what is still to be done after it. Who comes back from the same address before
/// all of that is settled goes on with it.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(super) allowance: Allowance,
    pub(super) exits: Exits,
    /// The clients of it whose rooms are not left yet.
    clients: AtomicUsize,
}

impl Account {
    /// Whether a new account would be the same.
    fn is_settled(&self, pace: &Pace) -> bool {
        self.clients.load(Ordering::Acquire) == 0 && self.exits.are_done() && self.allowance.is_full(pace.now())
    }
}

/// The accounts of those who went and may come back, by address.
#[derive(Debug, Default)]
pub(super) struct Returners {
    accounts: HashMap<AddressKey, Vec<Arc<Account>>>,
    /// How many more may be kept before those that are settled are looked for.
    until_tidy: usize,
}

impl Returners {
    /// So many are kept at least before they are looked through.
    const ROOM: usize = 64;

    fn keep(&mut self, address: AddressKey, account: Arc<Account>, pace: &Pace) {
        if self.until_tidy == 0 {
            self.accounts.retain(|_, accounts| {
                accounts.retain(|account| !account.is_settled(pace));
                !accounts.is_empty()
            });
            self.accounts.shrink_to(self.accounts.len() * 2);
            self.until_tidy = self.len() + Self::ROOM;
        }
        self.until_tidy -= 1;
        self.accounts.entry(address).or_default().push(account);
    }

    /// The account of who went last.
    fn take(&mut self, address: AddressKey, pace: &Pace) -> Option<Arc<Account>> {
        let accounts = self.accounts.get_mut(&address)?;
        let unsettled = std::iter::from_fn(|| accounts.pop()).find(|account| !account.is_settled(pace));
        if accounts.is_empty() {
            self.accounts.remove(&address);
        }
        unsettled
    }

    fn len(&self) -> usize {
        self.accounts.values().map(Vec::len).sum()
    }
}

/// The time from when a client may be registered until it has left its rooms.
#[derive(Debug)]
pub(crate) struct Stay {
    account: Arc<Account>,
    pace: Arc<Pace>,
    address: Option<AddressKey>,
    has_hung_up: AtomicBool,
    has_left: AtomicBool,
}

impl Stay {
    /// Of a client that comes from this address. Who went from there a moment ago may have to wait, for two seconds at
    /// most: its going and its coming count as changes.
    ///
    /// # Cancellation
    /// A dropped call has used the turn.
    pub(crate) async fn begin(pace: &Arc<Pace>, address: Option<IpAddr>) -> Self {
        let address = address.map(AddressKey::from);
        let known = address.and_then(|address| pace.returners.lock().take(address, pace));
        let returns = known.is_some();
        let account = known.unwrap_or_default();
        account.clients.fetch_add(1, Ordering::AcqRel);
        let (has_hung_up, has_left) = (AtomicBool::new(false), AtomicBool::new(false));
        let stay = Self { account, pace: pace.clone(), address, has_hung_up, has_left };
        if returns {
            pace.come_back(&stay.account.allowance).await;
        }
        stay
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The client's connection is gone: whoever comes now may be the same.
    pub(crate) fn hang_up(&self) {
        if !self.has_hung_up.swap(true, Ordering::AcqRel)
            && let Some(address) = self.address
        {
            self.pace.go(&self.account.allowance);
            self.pace.returners.lock().keep(address, self.account.clone(), &self.pace);
        }
    }

    pub(crate) fn has_hung_up(&self) -> bool {
        self.has_hung_up.load(Ordering::Acquire)
    }

    /// The client has left its rooms, or their exits are on the account.
    pub(crate) fn leave(&self) {
        if !self.has_left.swap(true, Ordering::AcqRel) {
            self.account.clients.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.hang_up();
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv6Addr},
        sync::Arc,
        time::Duration,
    };

    use roomwire_core::config::Limits;
    use tokio::time::{Instant, advance};

    use super::{Pace, Returners, Stay};

    fn pace() -> Arc<Pace> {
        Arc::new(Pace::new(&Limits { joins_per_second: 10, join_burst: 3, ..Limits::default() }))
    }

    fn address(number: usize) -> Option<IpAddr> {
        Some(Ipv6Addr::from_bits((number as u128) << 64).into())
    }

    fn same(one: &Stay, other: &Stay) -> bool {
        Arc::ptr_eq(one.account(), other.account())
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_goes_on_with_its_account_and_nobody_else_does() {
        let pace = pace();
        let gone = Stay::begin(&pace, address(1)).await;
        let beside = Stay::begin(&pace, address(1)).await;
        assert!(!same(&gone, &beside), "two at one time are two");
        gone.hang_up();
        assert!(!same(&gone, &Stay::begin(&pace, address(2)).await), "from elsewhere");
        assert!(!same(&gone, &Stay::begin(&pace, None).await), "from nobody knows where");
        let back = Stay::begin(&pace, address(1)).await;
        assert!(same(&gone, &back));
        assert!(!same(&gone, &Stay::begin(&pace, address(1)).await), "once");
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_kept_until_its_client_has_left_and_its_allowance_is_full() {
        let pace = pace();
        let gone = Stay::begin(&pace, address(1)).await;
        gone.hang_up();
        advance(Duration::from_secs(60)).await;
        let back = Stay::begin(&pace, address(1)).await;
        assert!(same(&gone, &back), "its rooms are not left");
        gone.leave();
        back.hang_up();
        back.leave();
        advance(Duration::from_millis(50)).await;
        let again = Stay::begin(&pace, address(1)).await;
        assert!(same(&gone, &again), "its coming and going are changes");
        drop(again);
        advance(Duration::from_secs(1)).await;
        assert!(!same(&gone, &Stay::begin(&pace, address(1)).await), "settled");
    }

    #[tokio::test(start_paused = true)]
    async fn coming_back_time_and_again_is_served_at_the_rate() {
        let pace = pace();
        let began = Instant::now();
        for _ in 0..100 {
            drop(Stay::begin(&pace, address(1)).await);
        }
        let took = began.elapsed();
        assert!((Duration::from_millis(19_300)..=Duration::from_millis(19_900)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_that_are_settled_are_forgotten() {
        let pace = pace();
        for number in 0..10_000 {
            drop(Stay::begin(&pace, address(number)).await);
            advance(Duration::from_millis(10)).await;
        }
        // Each is settled after a tenth of a second, in which ten come.
        let kept = pace.returners.lock().len();
        assert!(kept <= 2 * 11 + Returners::ROOM, "{kept}");
    }
}
