//! Who is let in: the bounds on open TCP connections.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use ipnet::IpNet;
use roomwire_core::{Error, ErrorCode, WebSocketConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    addresses::{AddressLimits, AddressPlace},
    instruments,
};

/// How many connections there may be besides two for each client that may be connected: for those that are not clients
/// yet or never will be, such as health checks and the app's own pages.
const SPARE: usize = 1024;

/// Counts open TCP connections, all of them and those of each address.
pub(super) struct Door {
    free: Arc<Semaphore>,
    addresses: AddressLimits,
    /// Their clients come from other addresses, which the layer counts.
    proxies: Vec<IpNet>,
}

/// One open connection; dropped when it is over.
pub(super) struct Open {
    closed: OnceLock<&'static str>,
    _place: Option<AddressPlace>,
    _permit: OwnedSemaphorePermit,
}

/// Why a connection is not let in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There are as many as there may be.
    Full(Error),
    /// This address has as many as it may.
    Address(Error),
}

impl Door {
    pub(super) fn new(config: &WebSocketConfig) -> Self {
        let clients = usize::try_from(config.max_connections).unwrap_or(usize::MAX);
        let most = clients.saturating_mul(2).saturating_add(SPARE).min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            addresses: AddressLimits::new(config.limits.connections_per_address, None),
            proxies: config.trusted_proxies.clone(),
        }
    }

    /// Lets a connection from this address in, or says why not.
    pub(super) fn open(&self, address: IpAddr) -> Result<Open, Refusal> {
        let canonical = address.to_canonical();
        let place = if self.proxies.iter().any(|network| network.contains(&canonical)) {
            None
        } else {
            Some(self.addresses.begin(address).map_err(|error| {
                instruments::connection_refused("address");
                Refusal::Address(error)
            })?)
        };
        let permit = self.free.clone().try_acquire_owned().map_err(|_| {
            instruments::connection_refused("full");
            Refusal::Full(ErrorCode::MaxConnections.into())
        })?;
        instruments::connection_accepted();
        Ok(Open { closed: OnceLock::new(), _place: place, _permit: permit })
    }
}

impl Open {
    /// Says why the connection is over; the first cause counts.
    pub(super) fn closing(&self, cause: &'static str) {
        let _ = self.closed.set(cause);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        instruments::connection_closed(self.closed.get().copied().unwrap_or("done"));
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("free", &self.free.available_permits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use roomwire_core::WebSocketConfig;

    use super::{Door, Refusal, SPARE};

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn two_for_each_client_and_the_spare_ones_are_let_in_and_no_more() {
        let mut config = WebSocketConfig { max_connections: 3, ..WebSocketConfig::default() };
        config.limits.connections_per_address = 1_000_000;
        let door = Door::new(&config);
        let mut all: Vec<_> = std::iter::from_fn(|| door.open(address("192.0.2.1")).ok()).collect();
        assert_eq!(all.len(), 3 * 2 + SPARE);
        assert!(matches!(door.open(address("192.0.2.2")), Err(Refusal::Full(_))));
        all.pop();
        let _again = door.open(address("192.0.2.2")).expect("let in");
    }

    #[test]
    fn addresses_are_counted_one_by_one_and_those_of_trusted_proxies_are_not() {
        let mut config = WebSocketConfig::default();
        config.limits.connections_per_address = 1;
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let door = Door::new(&config);
        let _first = door.open(address("192.0.2.1")).expect("let in");
        assert!(matches!(door.open(address("::ffff:192.0.2.1")), Err(Refusal::Address(_))));
        let _other = door.open(address("192.0.2.2")).expect("let in");
        let _proxied: Vec<_> =
            ["10.1.1.1", "10.1.1.1", "::ffff:10.1.1.1"].map(|text| door.open(address(text)).expect("let in")).into();
    }

    #[test]
    fn the_largest_number_of_clients_is_no_number_too_many() {
        let _door = Door::new(&WebSocketConfig { max_connections: u32::MAX, ..WebSocketConfig::default() });
    }
}
