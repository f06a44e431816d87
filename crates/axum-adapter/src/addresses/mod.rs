//! What one address may have: so many connections at one time, and so many short ones in a second.

mod reconnects;

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_core::{AddressKey, Error, ErrorCode};
use tokio::time::Instant;

pub(crate) use reconnects::Reconnects;

/// A connection that ends sooner than this after its begin is one of a client that comes back all the time.
const SHORT: Duration = Duration::from_secs(5);

/// Counts what each address has. All clones count together.
///
/// An address is remembered while it has something open or its bucket is not full. There are never more than twice as many
/// as that, and [`ROOM`].
#[derive(Clone)]
pub(crate) struct AddressLimits(Arc<Counted>);

struct Counted {
    most: u32,
    reconnects: Option<Reconnects>,
    addresses: Mutex<Addresses>,
}

struct Addresses {
    known: HashMap<AddressKey, Address>,
    /// How many more connections may begin before addresses that are idle are looked for.
    until_tidy: usize,
}

/// So many connections begin at least before addresses are looked through.
const ROOM: usize = 64;

struct Address {
    open: u32,
    /// When its bucket is full.
    full_at: Instant,
}

/// What an address has open; dropped when it ends.
#[must_use]
pub(crate) struct AddressPlace {
    limits: AddressLimits,
    address: AddressKey,
    began: Instant,
}

impl AddressLimits {
    /// So many at one time for an address, and short ones as often as this rule allows; without a rule as often as
    /// they come.
    pub(crate) fn new(most: u32, reconnects: Option<Reconnects>) -> Self {
        let addresses = Mutex::new(Addresses { known: HashMap::new(), until_tidy: ROOM });
        Self(Arc::new(Counted { most, reconnects, addresses }))
    }

    /// Counts what begins now, until the answer is dropped. What ends within five seconds takes a token of the
    /// address.
    ///
    /// # Errors
    /// [`ErrorCode::MaxConnections`] when the address has as many open as it may, and [`ErrorCode::RateLimited`] with the
    /// time to wait when it had too many short ones. Nothing is counted then.
    pub(crate) fn begin(&self, address: IpAddr) -> Result<AddressPlace, Error> {
        let key = AddressKey::from(address);
        let now = Instant::now();
        let mut addresses = self.0.addresses.lock();
        addresses.tidy(now);
        let address = addresses.known.entry(key).or_insert(Address { open: 0, full_at: now });
        if address.open >= self.0.most {
            return Err(Error::with_message(
                ErrorCode::MaxConnections,
                "Too many connections from this address, try again later",
            ));
        }
        if let Some(wait) = self.0.reconnects.and_then(|rule| rule.wait(address.full_at, now)) {
            return Err(Error::with_message(ErrorCode::RateLimited, "Too many short connections from this address")
                .with_retry_after(wait));
        }
        address.open += 1;
        drop(addresses);
        Ok(AddressPlace { limits: self.clone(), address: key, began: now })
    }

    /// How many addresses are known.
    #[cfg(test)]
    fn known(&self) -> usize {
        self.0.addresses.lock().known.len()
    }
}

impl Addresses {
    /// Forgets addresses that are idle, after as many calls as addresses were left the last time: a call costs the same
    /// on average, however many addresses there are.
    fn tidy(&mut self, now: Instant) {
        if self.until_tidy == 0 {
            self.known.retain(|_, address| address.open > 0 || address.full_at > now);
            self.known.shrink_to(self.known.len() * 2);
            self.until_tidy = self.known.len() + ROOM;
        }
        self.until_tidy -= 1;
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut addresses = self.limits.0.addresses.lock();
        let Some(address) = addresses.known.get_mut(&self.address) else { return };
        address.open -= 1;
        if let Some(rule) = self.limits.0.reconnects
            && now.saturating_duration_since(self.began) < SHORT
        {
            address.full_at = rule.charge(address.full_at, now);
        }
        if address.open == 0 && address.full_at <= now {
            addresses.known.remove(&self.address);
        }
    }
}

impl fmt::Debug for AddressLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressLimits").field("most", &self.0.most).finish_non_exhaustive()
    }
}

impl fmt::Debug for AddressPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPlace").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        time::Duration,
    };

    use roomwire_core::ErrorCode;
    use tokio::time::advance;

    use super::{AddressLimits, ROOM, Reconnects, SHORT};

    const ADA: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[tokio::test(start_paused = true)]
    async fn an_address_has_as_many_as_it_may_and_the_others_do_not_notice() {
        let limits = AddressLimits::new(2, None);
        let first = limits.begin(ADA).expect("free");
        let _second = limits.begin(ADA).expect("free");
        assert_eq!(limits.begin(ADA).expect_err("refused").code(), ErrorCode::MaxConnections);
        let _bobs = limits.begin(BOB).expect("free");
        drop(first);
        let _third = limits.begin(ADA).expect("free again, though it was short: without a rule that is no matter");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_all_the_time_waits_and_who_stays_does_not() {
        let limits = AddressLimits::new(500, Some(Reconnects::new(1, 4)));
        // Five hundred behind one address that come at once and stay.
        let crowd: Vec<_> = (0..499).map(|_| limits.begin(ADA).expect("free")).collect();
        for _ in 0..4 {
            drop(limits.begin(ADA).expect("a token"));
        }
        let refused = limits.begin(ADA).expect_err("refused");
        assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(Duration::from_secs(1))));
        drop(limits.begin(BOB).expect("his own bucket"));
        advance(Duration::from_secs(1)).await;
        let late = limits.begin(ADA).expect("a token came back");
        advance(SHORT).await;
        drop((late, crowd));
        for _ in 0..4 {
            drop(limits.begin(ADA).expect("those that stayed cost nothing, and the bucket filled up"));
        }
        assert!(limits.begin(ADA).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_idle_are_forgotten() {
        let limits = AddressLimits::new(1, Some(Reconnects::new(1, 4)));
        let stays = limits.begin(ADA).expect("free");
        for number in 0..100_000_u128 {
            drop(limits.begin(Ipv6Addr::from_bits(number << 64).into()).expect("free"));
            if number % 10 == 9 {
                advance(Duration::from_millis(1)).await;
            }
        }
        // Each is remembered for a second, in which ten thousand come.
        assert!(limits.known() <= 2 * 10_001 + ROOM, "{}", limits.known());
        assert!(limits.begin(ADA).is_err(), "who is here is not forgotten");
        advance(Duration::from_secs(1)).await;
        for number in 0..=2 * 10_001 + ROOM as u128 {
            let place = limits.begin(Ipv6Addr::from_bits(number << 64).into()).expect("free");
            advance(SHORT).await;
            drop(place);
        }
        assert!(limits.known() <= 2, "all the others are forgotten: {}", limits.known());
        drop(stays);
    }

    #[test]
    fn counts_stay_exact_over_ten_thousand_rounds_of_eight_threads() {
        let limits = AddressLimits::new(4, None);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| drop(limits.begin(ADA))));
            }
        });
        assert_eq!(limits.known(), 0);
        let all: Vec<_> = std::iter::from_fn(|| limits.begin(ADA).ok()).collect();
        assert_eq!(all.len(), 4);
    }
}
