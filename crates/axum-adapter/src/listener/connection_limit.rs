//! The bound on open TCP connections.
//!
//! It protects the process, not a share of sockets: sessions are limited by the layer. Two connections for each client
//! that `maxConnections` allows leave so many over that sockets alone can never use up those of the app's own routes.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use ipnet::IpNet;
use parking_lot::RwLock;
use roomwire_core::{Error, ErrorCode, WebSocketConfig};

use crate::{
    addresses::{AddressLimiter, AddressPermit},
    metrics::ConnectionMetrics,
    open_files::OpenFiles,
    permits::{Permit, Permits},
    refusals::Refusals,
};

/// Connections that one address can never have, or half of all: the others find room whatever one address does.
const RESERVE: usize = 512;

/// Counts open TCP connections, all of them and those of each address, and keeps open files for other purposes.
pub(super) struct ConnectionLimiter {
    connections: Permits,
    addresses: AddressLimiter,
    settings: RwLock<Settings>,
    refusals: Refusals,
    metrics: Arc<ConnectionMetrics>,
}

/// One open connection, until it is dropped.
pub(super) struct ConnectionPermit {
    closed: OnceLock<&'static str>,
    metrics: Arc<ConnectionMetrics>,
    _of_address: Option<AddressPermit>,
    _permit: Permit,
}

struct Settings {
    files: OpenFiles,
    /// Their connections carry many clients.
    proxies: Vec<IpNet>,
}

impl ConnectionLimiter {
    pub(super) fn new(config: &WebSocketConfig, files: OpenFiles, refusals: Refusals) -> Self {
        let connections = files.connections(config);
        Self {
            connections: Permits::new(connections),
            addresses: AddressLimiter::new(of_address(connections), None),
            settings: RwLock::new(Settings { files, proxies: config.trusted_proxies.clone() }),
            refusals,
            metrics: ConnectionMetrics::new(),
        }
    }

    /// Changes the limits. Connections that are open stay, and count.
    pub(super) fn set(&self, config: &WebSocketConfig, files: OpenFiles) {
        let connections = files.connections(config);
        self.connections.set(connections);
        self.addresses.set(of_address(connections), None);
        *self.settings.write() = Settings { files, proxies: config.trusted_proxies.clone() };
    }

    /// A place for a connection from this address, which is the open file of this number.
    ///
    /// # Errors
    /// `MAX_CONNECTIONS` when there are as many connections as there may be, as many as one address may have, or only
    /// those files are left that are kept for other purposes.
    pub(super) fn acquire(&self, address: IpAddr, file: usize) -> Result<ConnectionPermit, Error> {
        let address = address.to_canonical();
        let (files, is_proxy) = {
            let Settings { files, proxies } = &*self.settings.read();
            (*files, proxies.iter().any(|network| network.contains(&address)))
        };
        if file >= files.for_connections() {
            self.refusals.open_files(address, files);
            return Err(Error::new(ErrorCode::MaxConnections));
        }
        let of_address = if is_proxy {
            None
        } else {
            let permit = self.addresses.acquire(address).map_err(|_| {
                self.refusals.listener_full_for(address);
                Error::with_message(ErrorCode::MaxConnections, "Too many open connections from this address")
            })?;
            Some(permit)
        };
        let permit = self.connections.acquire().ok_or_else(|| {
            self.refusals.listener_full(address);
            Error::new(ErrorCode::MaxConnections)
        })?;
        self.metrics.accepted();
        let metrics = self.metrics.clone();
        Ok(ConnectionPermit { closed: OnceLock::new(), metrics, _of_address: of_address, _permit: permit })
    }
}

/// The most connections of one address, of so many in all.
fn of_address(connections: usize) -> u32 {
    u32::try_from(connections - RESERVE.min(connections / 2)).unwrap_or(u32::MAX)
}

impl ConnectionPermit {
    /// Notes why the connection ends; the first cause counts.
    pub(super) fn closing(&self, cause: &'static str) {
        let _ = self.closed.set(cause);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.metrics.closed(self.closed.get().copied().unwrap_or("done"));
    }
}

impl fmt::Debug for ConnectionLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionLimiter").field("connections", &self.connections).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use roomwire_core::WebSocketConfig;

    use super::{ConnectionLimiter, RESERVE};
    use crate::{
        open_files::{OpenFiles, SPARE},
        refusals::Refusals,
    };

    fn limiter(config: &WebSocketConfig) -> ConnectionLimiter {
        ConnectionLimiter::new(config, OpenFiles::unlimited(), Refusals::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_has_all_connections_but_a_reserve_for_the_others() {
        let limiter = limiter(&WebSocketConfig { max_connections: 3, ..WebSocketConfig::default() });
        let mut all: Vec<_> = std::iter::from_fn(|| limiter.acquire(address("192.0.2.1"), 0).ok()).collect();
        assert_eq!(all.len(), 3 * 2 + SPARE - RESERVE);
        assert!(limiter.acquire(address("::ffff:192.0.2.1"), 0).is_err(), "the same address");
        let others: Vec<_> = std::iter::from_fn(|| limiter.acquire(address("192.0.2.2"), 0).ok()).collect();
        assert_eq!(others.len(), RESERVE);
        assert!(limiter.acquire(address("192.0.2.3"), 0).is_err(), "there are no more");
        all.pop();
        let _again = limiter.acquire(address("192.0.2.3"), 0).expect("free again");
    }

    #[test]
    fn the_sessions_of_an_address_leave_room_for_requests_to_the_apps_own_routes() {
        for max_connections in [1, 2, 1000, 100_000] {
            let config = WebSocketConfig { max_connections, ..WebSocketConfig::default() };
            let limiter = limiter(&config);
            // Each session polls: one connection to send, one to receive.
            let of_sessions = 2 * config.connections_per_address();
            let held: Vec<_> =
                (0..of_sessions).map(|_| limiter.acquire(address("192.0.2.1"), 0).expect("free")).collect();
            let of_requests: Vec<_> =
                (0..RESERVE).map(|_| limiter.acquire(address("192.0.2.1"), 0).expect("free")).collect();
            drop((held, of_requests));
        }
    }

    #[test]
    fn the_connections_of_trusted_proxies_are_counted_in_all_alone() {
        let mut config = WebSocketConfig { max_connections: 1, ..WebSocketConfig::default() };
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let limiter = limiter(&config);
        let proxied = ["10.1.1.1", "::ffff:10.1.1.1"].map(address).into_iter().cycle();
        let all: Vec<_> = proxied.map_while(|proxy| limiter.acquire(proxy, 0).ok()).collect();
        assert_eq!(all.len(), 2 + SPARE);
    }

    #[test]
    fn a_connection_that_is_one_of_the_files_that_are_kept_is_refused_and_one_below_is_not() {
        let limiter =
            ConnectionLimiter::new(&WebSocketConfig::default(), OpenFiles::limited_to(256), Refusals::default());
        for (file, is_accepted) in [(0, true), (191, true), (192, false), (255, false), (191, true)] {
            assert_eq!(limiter.acquire(address("192.0.2.1"), file).is_ok(), is_accepted, "{file}");
        }
    }

    #[test]
    fn with_few_files_one_address_leaves_half_of_the_connections_to_the_others() {
        let limiter =
            ConnectionLimiter::new(&WebSocketConfig::default(), OpenFiles::limited_to(256), Refusals::default());
        let all: Vec<_> = std::iter::from_fn(|| limiter.acquire(address("192.0.2.1"), 0).ok()).collect();
        let others: Vec<_> = std::iter::from_fn(|| limiter.acquire(address("192.0.2.2"), 0).ok()).collect();
        assert_eq!((all.len(), others.len()), (96, 96));
    }

    #[test]
    fn the_largest_number_of_clients_is_accepted() {
        limiter(&WebSocketConfig { max_connections: u32::MAX, ..WebSocketConfig::default() });
    }
}
