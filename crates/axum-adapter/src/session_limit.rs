//! How many sessions there may be: of the server, and of each address.

use std::{net::IpAddr, sync::Arc};

use roomwire_core::{Error, ErrorCode, WebSocketConfig};
use roomwire_socketio::ReconnectRate;

use crate::{
    addresses::{AddressLimiter, AddressPermit},
    permits::{Permit, Permits},
    refusals::Refusals,
};

/// Bounds sessions by `maxConnections`, and those of an address by `limits.connectionsPerAddress`,
/// `limits.reconnectsPerSecond` and `limits.reconnectBurst`.
#[derive(Debug)]
pub(crate) struct SessionLimiter {
    sessions: Permits,
    addresses: AddressLimiter,
    refusals: Refusals,
}

/// The place of one session, free again when this is dropped: when the session has ended and its websocket, if it has
/// one, is closed.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    _permit: Permit,
    _of_address: Option<AddressPermit>,
}

impl SessionLimiter {
    pub(crate) fn new(config: &WebSocketConfig, refusals: Refusals) -> Self {
        Self {
            sessions: Permits::new(sessions(config)),
            addresses: AddressLimiter::new(config.connections_per_address(), Some(reconnects(config))),
            refusals,
        }
    }

    /// Changes the limits. Sessions that are open stay, and count.
    pub(crate) fn set(&self, config: &WebSocketConfig) {
        self.sessions.set(sessions(config));
        self.addresses.set(config.connections_per_address(), Some(reconnects(config)));
    }

    /// A place for a session of this address. Without an address only `maxConnections` applies.
    ///
    /// # Errors
    /// `MAX_CONNECTIONS` when the server or the address has as many sessions as it may, `RATE_LIMITED` with the time to
    /// wait when the address had too many short ones.
    pub(crate) fn acquire(&self, address: Option<IpAddr>) -> Result<Arc<SessionPermit>, Error> {
        let permit = self.sessions.acquire().ok_or_else(|| {
            self.refusals.max_connections(address);
            Error::new(ErrorCode::MaxConnections)
        })?;
        let of_address = match address {
            None => None,
            Some(address) => Some(self.addresses.acquire(address).inspect_err(|error| {
                if error.code() == ErrorCode::RateLimited {
                    self.refusals.reconnects(address);
                } else {
                    self.refusals.connections_per_address(address);
                }
            })?),
        };
        Ok(Arc::new(SessionPermit { _permit: permit, _of_address: of_address }))
    }
}

fn sessions(config: &WebSocketConfig) -> usize {
    usize::try_from(config.max_connections).unwrap_or(usize::MAX)
}

fn reconnects(config: &WebSocketConfig) -> ReconnectRate {
    ReconnectRate::new(config.limits.reconnects_per_second, config.limits.reconnect_burst)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use roomwire_core::{ErrorCode, WebSocketConfig};

    use super::SessionLimiter;
    use crate::refusals::Refusals;

    fn limiter(max_connections: u32, connections_per_address: Option<u32>) -> SessionLimiter {
        let mut config = WebSocketConfig { max_connections, ..WebSocketConfig::default() };
        config.limits = config.limits.without_rates();
        config.limits.connections_per_address = connections_per_address;
        SessionLimiter::new(&config, Refusals::default())
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[test]
    fn an_address_has_half_of_all_sessions_by_default_and_unknown_addresses_have_all() {
        let limiter = limiter(10, None);
        let first: Vec<_> = std::iter::from_fn(|| limiter.acquire(address(1)).ok()).collect();
        assert_eq!(first.len(), 5);
        assert_eq!(limiter.acquire(address(1)).expect_err("refused").code(), ErrorCode::MaxConnections);
        let rest: Vec<_> = std::iter::from_fn(|| limiter.acquire(None).ok()).collect();
        assert_eq!(rest.len(), 5);
        assert_eq!(limiter.acquire(address(2)).expect_err("refused").code(), ErrorCode::MaxConnections);
        drop(first);
        limiter.acquire(address(2)).expect("free again");
    }

    #[test]
    fn a_session_that_its_address_may_not_have_takes_no_place() {
        let limiter = limiter(3, Some(1));
        let _held = limiter.acquire(address(1)).expect("free");
        for _ in 0..10 {
            limiter.acquire(address(1)).expect_err("refused");
        }
        let _others = [limiter.acquire(address(2)).expect("free"), limiter.acquire(address(3)).expect("free")];
    }

    #[test]
    fn counts_stay_exact_over_ten_thousand_rounds_of_eight_threads() {
        let limiter = limiter(4, Some(4));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| drop(limiter.acquire(address(1)))));
            }
        });
        let all: Vec<_> = std::iter::from_fn(|| limiter.acquire(address(1)).ok()).collect();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn the_largest_number_of_sessions_is_accepted() {
        limiter(u32::MAX, None).acquire(address(1)).expect("free");
    }
}
