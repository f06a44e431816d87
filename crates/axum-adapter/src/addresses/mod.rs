//! Limits by address: connections at one time, and short connections per second.

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_core::{AddressKey, Error, ErrorCode};
use tokio::time::Instant;

use roomwire_socketio::ReconnectRate;

/// A connection that ends sooner is a short one: its client reconnects all the time.
const SHORT: Duration = Duration::from_secs(5);

/// Counts the connections of each address. All clones count together.
///
/// An address is remembered while it has a connection or its bucket is not full. At most twice as many addresses are
/// kept, and [`ROOM`].
#[derive(Clone)]
pub(crate) struct AddressLimiter(Arc<Mutex<Addresses>>);

struct Addresses {
    max: u32,
    reconnects: Option<ReconnectRate>,
    known: HashMap<AddressKey, Address>,
    /// The number of connections that may begin before idle addresses are removed.
    until_tidy: usize,
}

/// The least number of connections that begin before all addresses are looked through.
const ROOM: usize = 64;

struct Address {
    open: u32,
    /// When its bucket is full.
    full_at: Instant,
}

/// One connection of an address; dropped when it ends.
#[must_use]
pub(crate) struct AddressPermit {
    limiter: AddressLimiter,
    address: AddressKey,
    began: Instant,
}

impl AddressLimiter {
    /// Allows `max` connections of an address at one time, and short ones as often as this rate says. Without a rate
    /// they are not counted.
    pub(crate) fn new(max: u32, reconnects: Option<ReconnectRate>) -> Self {
        let addresses = Addresses { max, reconnects, known: HashMap::new(), until_tidy: ROOM };
        Self(Arc::new(Mutex::new(addresses)))
    }

    /// Changes the limits. Connections that are open stay, and count.
    pub(crate) fn set(&self, max: u32, reconnects: Option<ReconnectRate>) {
        let mut addresses = self.0.lock();
        (addresses.max, addresses.reconnects) = (max, reconnects);
    }

    /// Counts a connection that begins now, until the permit is dropped. One that ends within five seconds takes a
    /// token from the bucket of its address.
    ///
    /// # Errors
    /// [`ErrorCode::MaxConnections`] when the address has as many connections as it may, and [`ErrorCode::RateLimited`]
    /// with the time to wait when it had too many short ones. The connection is not counted then.
    pub(crate) fn acquire(&self, address: IpAddr) -> Result<AddressPermit, Error> {
        let key = AddressKey::from(address);
        let now = Instant::now();
        let mut addresses = self.0.lock();
        addresses.tidy(now);
        let (max, reconnects) = (addresses.max, addresses.reconnects);
        let address = addresses.known.entry(key).or_insert(Address { open: 0, full_at: now });
        if address.open >= max {
            let problem = "Too many connections from this address (limits.connectionsPerAddress), try again later";
            return Err(Error::with_message(ErrorCode::MaxConnections, problem));
        }
        if let Some(wait) = reconnects.and_then(|rate| rate.wait(address.full_at, now)) {
            let problem = "Too many short connections from this address (limits.reconnectsPerSecond)";
            return Err(Error::with_message(ErrorCode::RateLimited, problem).with_retry_after(wait));
        }
        address.open += 1;
        drop(addresses);
        Ok(AddressPermit { limiter: self.clone(), address: key, began: now })
    }

    /// The number of addresses that are kept.
    #[cfg(test)]
    fn known(&self) -> usize {
        self.0.lock().known.len()
    }
}

impl Addresses {
    /// Removes idle addresses, after as many calls as addresses were left the last time: a call costs the same on
    /// average, however many addresses there are.
    fn tidy(&mut self, now: Instant) {
        if self.until_tidy == 0 {
            self.known.retain(|_, address| address.open > 0 || address.full_at > now);
            self.known.shrink_to(self.known.len() * 2);
            self.until_tidy = self.known.len() + ROOM;
        }
        self.until_tidy -= 1;
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut addresses = self.limiter.0.lock();
        let reconnects = addresses.reconnects;
        let Some(address) = addresses.known.get_mut(&self.address) else { return };
        address.open -= 1;
        if let Some(rate) = reconnects
            && now.saturating_duration_since(self.began) < SHORT
        {
            address.full_at = rate.charge(address.full_at, now);
        }
        if address.open == 0 && address.full_at <= now {
            addresses.known.remove(&self.address);
        }
    }
}

impl fmt::Debug for AddressLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressLimiter").finish_non_exhaustive()
    }
}

impl fmt::Debug for AddressPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPermit").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        time::Duration,
    };

    use roomwire_core::{ErrorCode, config::Limits};
    use tokio::time::{Instant, advance};

    use super::{AddressLimiter, AddressPermit, ROOM, ReconnectRate, SHORT};

    const ADA: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const SECOND: Duration = Duration::from_secs(1);
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[tokio::test(start_paused = true)]
    async fn an_address_has_as_many_as_it_may_and_other_addresses_are_not_affected() {
        let limiter = AddressLimiter::new(2, None);
        let first = limiter.acquire(ADA).expect("free");
        let _second = limiter.acquire(ADA).expect("free");
        assert_eq!(limiter.acquire(ADA).expect_err("refused").code(), ErrorCode::MaxConnections);
        let _bobs = limiter.acquire(BOB).expect("free");
        drop(first);
        let _third = limiter.acquire(ADA).expect("free again: without a rate it does not matter that it was short");
    }

    #[tokio::test(start_paused = true)]
    async fn short_connections_are_limited_and_longer_ones_are_not() {
        let limiter = AddressLimiter::new(500, Some(ReconnectRate::new(1, 4)));
        // An office behind one address: five hundred connect at once and stay.
        let crowd: Vec<_> = (0..499).map(|_| limiter.acquire(ADA).expect("free")).collect();
        for _ in 0..4 {
            drop(limiter.acquire(ADA).expect("a token"));
        }
        let refused = limiter.acquire(ADA).expect_err("refused");
        assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(Duration::from_secs(1))));
        drop(limiter.acquire(BOB).expect("his own bucket"));
        advance(Duration::from_secs(1)).await;
        let late = limiter.acquire(ADA).expect("a token came back");
        advance(SHORT).await;
        drop((late, crowd));
        for _ in 0..4 {
            drop(limiter.acquire(ADA).expect("the long ones cost nothing, and the bucket is full again"));
        }
        assert!(limiter.acquire(ADA).is_err());
    }

    /// Sessions of one address that begin at these times and last so long: the number that is refused.
    async fn refused(limiter: &AddressLimiter, mut begins: Vec<Duration>, lasts: Duration) -> usize {
        begins.sort();
        let (start, mut open, mut refused) = (Instant::now(), VecDeque::<(Instant, AddressPermit)>::new(), 0);
        for begin in begins {
            let now = start + begin;
            while let Some((end, _)) = open.front().filter(|(end, _)| *end <= now) {
                advance(*end - Instant::now()).await;
                drop(open.pop_front());
            }
            advance(now - Instant::now()).await;
            match limiter.acquire(ADA) {
                Ok(permit) => open.push_back((now + lasts, permit)),
                Err(_) => refused += 1,
            }
        }
        refused
    }

    #[tokio::test(start_paused = true)]
    async fn by_default_thirty_bots_with_a_short_session_every_two_seconds_keep_no_newcomer_of_their_address_out() {
        let limits = Limits::default();
        let rate = ReconnectRate::new(limits.reconnects_per_second, limits.reconnect_burst);
        let limiter = AddressLimiter::new(500, Some(rate));
        let bots = (0..30).flat_map(|bot| (0..30).map(move |turn| 2 * SECOND * turn + SECOND * bot / 15));
        let newcomers = (0..20).map(|newcomer| SECOND * 3 * newcomer + SECOND / 7);
        assert_eq!(refused(&limiter, bots.chain(newcomers).collect(), SECOND / 10).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn by_default_two_hundred_short_sessions_of_an_address_at_once_are_not_refused_and_a_flood_is() {
        let limits = Limits::default();
        let rate = ReconnectRate::new(limits.reconnects_per_second, limits.reconnect_burst);
        let limiter = AddressLimiter::new(500, Some(rate));
        // A class of 100 reloads twice.
        let twice = (0..200).map(|nth| SECOND / 2 * (nth / 100)).collect();
        assert_eq!(refused(&limiter, twice, SECOND / 10).await, 0);
        let flood = (0..1000).map(|nth| SECOND / 1000 * nth).collect();
        assert!(refused(&limiter, flood, SECOND / 1000).await > 900);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_addresses_are_removed() {
        let limiter = AddressLimiter::new(1, Some(ReconnectRate::new(1, 4)));
        let stays = limiter.acquire(ADA).expect("free");
        for number in 0..100_000_u128 {
            drop(limiter.acquire(Ipv6Addr::from_bits(number << 64).into()).expect("free"));
            if number % 10 == 9 {
                advance(Duration::from_millis(1)).await;
            }
        }
        // Each is remembered for a second, in which ten thousand come.
        assert!(limiter.known() <= 2 * 10_001 + ROOM, "{}", limiter.known());
        assert!(limiter.acquire(ADA).is_err(), "an address with a connection is kept");
        advance(Duration::from_secs(1)).await;
        for number in 0..=2 * 10_001 + ROOM as u128 {
            let place = limiter.acquire(Ipv6Addr::from_bits(number << 64).into()).expect("free");
            advance(SHORT).await;
            drop(place);
        }
        assert!(limiter.known() <= 2, "all the others are removed: {}", limiter.known());
        drop(stays);
    }

    #[test]
    fn counts_stay_exact_over_ten_thousand_rounds_of_eight_threads() {
        let limiter = AddressLimiter::new(4, None);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| drop(limiter.acquire(ADA))));
            }
        });
        assert_eq!(limiter.known(), 0);
        let all: Vec<_> = std::iter::from_fn(|| limiter.acquire(ADA).ok()).collect();
        assert_eq!(all.len(), 4);
    }
}
