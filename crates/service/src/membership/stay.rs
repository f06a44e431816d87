//! A client comes, goes, and comes back: its allowance of changes is the same.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use roomwire_core::AddressKey;
use tokio::time::{Instant, timeout_at};

use super::{Account, Pace, returners::Coming};

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
    /// most: its going and its coming count as changes. Where somebody did something a moment ago, it takes a moment to
    /// find out whether it is about to go.
    ///
    /// # Cancellation
    /// A dropped call has used the turn.
    pub(crate) async fn begin(pace: &Arc<Pace>, address: Option<IpAddr>) -> Self {
        let Some(address) = address.map(AddressKey::from) else { return Self::of(pace, None, Arc::default()) };
        let mut grace = pace.grace().map(|grace| Instant::now() + grace);
        loop {
            let coming = pace.returners.lock().come(address, pace, grace.is_some());
            match coming {
                Coming::New(account) => return Self::of(pace, Some(address), account),
                Coming::Back(account) => {
                    let stay = Self::of(pace, Some(address), account);
                    pace.come_back(&stay.account.allowance).await;
                    return stay;
                }
                Coming::Unknown(went) => {
                    let until = grace.unwrap_or_else(Instant::now);
                    if timeout_at(until, went).await.is_err() {
                        grace = None;
                    }
                }
            }
        }
    }

    fn of(pace: &Arc<Pace>, address: Option<AddressKey>, account: Arc<Account>) -> Self {
        account.clients.fetch_add(1, Ordering::AcqRel);
        let (has_hung_up, has_left) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { account, pace: pace.clone(), address, has_hung_up, has_left }
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
            self.pace.returners.lock().go(address, self.account.clone(), &self.pace);
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

    use futures_util::future::join_all;
    use roomwire_core::config::Limits;
    use tokio::time::{Instant, advance, sleep};

    use super::Stay;
    use crate::membership::{Pace, returners::Returners};

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
    async fn who_is_back_before_it_is_known_to_have_gone_goes_on_with_its_account_too() {
        let pace = pace();
        let gone = Stay::begin(&pace, address(1)).await;
        let (began, moment) = (Instant::now(), Duration::from_millis(5));
        let (back, ()) = tokio::join!(Stay::begin(&pace, address(1)), async {
            sleep(moment).await;
            gone.hang_up();
        });
        assert!(same(&gone, &back));
        assert_eq!(began.elapsed(), moment);
        let beside = Stay::begin(&pace, address(1)).await;
        assert!(!same(&back, &beside));
        assert_eq!(began.elapsed(), moment + Duration::from_millis(30), "nobody went");
        advance(Duration::from_secs(1)).await;
        let quiet = Instant::now();
        assert!(!same(&back, &Stay::begin(&pace, address(1)).await));
        assert_eq!(quiet.elapsed(), Duration::ZERO, "nobody here has done anything for a while");
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_that_come_while_one_goes_one_is_it() {
        let pace = pace();
        let gone = Stay::begin(&pace, address(1)).await;
        let coming = join_all((0..100).map(|_| Stay::begin(&pace, address(1))));
        let (came, ()) = tokio::join!(coming, async {
            sleep(Duration::from_millis(5)).await;
            gone.hang_up();
        });
        assert_eq!(came.iter().filter(|stay| same(&gone, stay)).count(), 1);
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
