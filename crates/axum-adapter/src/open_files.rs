//! How many files the system lets this process open (`ulimit -n`), and how many connections and clients that is enough
//! for.
//!
//! Each connection is an open file. A part of them is no connection's: it is kept for the listener, for Redis and for
//! the app. Otherwise a crowd of clients would take each file that becomes free, and Redis would not be reached again.

use roomwire_core::{WebSocketConfig, config::Transport};

/// A quarter of the files is kept, but no more than this many.
const MOST_KEPT: usize = 512;

/// Connections besides two for each client that may be connected: for health checks, the app's own pages, and clients
/// that are about to connect.
pub(crate) const SPARE: usize = 1024;

/// The limit of open files of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    limit: usize,
}

impl OpenFiles {
    /// The limit of this process. The soft limit is raised as far as `maxConnections` needs, and not beyond the hard
    /// limit.
    pub(crate) fn of_this_process(config: &WebSocketConfig) -> Self {
        Self { limit: raise_to(needed(config)) }
    }

    #[cfg(test)]
    pub(crate) fn unlimited() -> Self {
        Self::limited_to(usize::MAX)
    }

    #[cfg(test)]
    pub(crate) fn limited_to(limit: usize) -> Self {
        Self { limit }
    }

    /// How many files are kept for other purposes than connections.
    pub(crate) fn kept(self) -> usize {
        (self.limit / 4).min(MOST_KEPT)
    }

    /// How many files may be connections.
    ///
    /// Also the lowest number of a file that is kept. The system gives each new file the lowest number that is free, so
    /// a connection with this number or a higher one shows that the rest is in use, whatever opened it.
    pub(crate) fn for_connections(self) -> usize {
        self.limit - self.kept()
    }

    /// How many connections there may be: all that `maxConnections` needs, or what is there.
    pub(crate) fn connections(self, config: &WebSocketConfig) -> usize {
        wanted_connections(config).min(self.for_connections())
    }

    /// How many clients may be connected: `maxConnections`, unless the files are too few for the connections of so
    /// many.
    pub(crate) fn clients(self, config: &WebSocketConfig) -> u32 {
        let all = self.for_connections();
        let fit = (all - SPARE.min(all / 8)) / connections_of_a_client(config);
        config.max_connections.min(u32::try_from(fit).unwrap_or(u32::MAX)).max(1)
    }

    /// The configuration with as many clients as fit.
    pub(crate) fn fitting(self, config: &WebSocketConfig) -> WebSocketConfig {
        WebSocketConfig { max_connections: self.clients(config), ..config.clone() }
    }

    /// Warns when fewer clients than `maxConnections` may be connected.
    pub(crate) fn warn_if_too_few(self, config: &WebSocketConfig) {
        let clients = self.clients(config);
        if clients < config.max_connections {
            tracing::warn!(
                target: "roomwire",
                open_files = self.limit, clients, max_connections = config.max_connections, needed = needed(config),
                "this process may open too few files for maxConnections: so many clients fit, others are refused. Raise the \
                 limit (ulimit -n, LimitNOFILE of systemd, nofile of a container) to the number that is needed, or lower \
                 maxConnections"
            );
        }
    }
}

/// A client over HTTP requests receives on one connection while it sends on another.
fn connections_of_a_client(config: &WebSocketConfig) -> usize {
    if config.transports.contains(&Transport::Polling) { 2 } else { 1 }
}

/// Two for each client, whichever its transport is: one that comes back may be there before its former connection ends.
fn wanted_connections(config: &WebSocketConfig) -> usize {
    let clients = usize::try_from(config.max_connections).unwrap_or(usize::MAX);
    clients.saturating_mul(2).saturating_add(SPARE)
}

/// How many open files are enough for `maxConnections`.
fn needed(config: &WebSocketConfig) -> usize {
    wanted_connections(config).saturating_add(MOST_KEPT)
}

/// What macOS accepts at most where its hard limit is infinite.
#[cfg(unix)]
const MOST_OF_MACOS: usize = 10_240;

/// Raises the soft limit to this, or to the hard limit, when it is lower; the limit that there is then.
#[cfg(unix)]
fn raise_to(needed: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let as_number = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = as_number(current);
    let wanted = needed.min(as_number(maximum));
    let set = |limit: usize| setrlimit(Resource::Nofile, Rlimit { current: Some(limit as u64), maximum });
    raised(current, wanted, |limit| set(limit).map_err(Into::into))
}

/// Tries to raise the limit, and again to what every macOS accepts; the limit that there is then.
#[cfg(unix)]
fn raised(current: usize, wanted: usize, set: impl Fn(usize) -> std::io::Result<()>) -> usize {
    for limit in [wanted, wanted.min(MOST_OF_MACOS)].into_iter().filter(|limit| *limit > current) {
        match set(limit) {
            Ok(()) => return limit,
            Err(error) => {
                tracing::debug!(target: "roomwire", %error, limit, "the limit of open files could not be raised");
            }
        }
    }
    current
}

/// Such a limit is not known there.
#[cfg(not(unix))]
fn raise_to(_needed: usize) -> usize {
    usize::MAX
}

#[cfg(test)]
mod tests {
    use roomwire_core::{WebSocketConfig, config::Transport};

    use super::{MOST_KEPT, OpenFiles, SPARE, needed, wanted_connections};

    fn config(max_connections: u32, transports: &[Transport]) -> WebSocketConfig {
        WebSocketConfig { max_connections, transports: transports.to_vec(), ..WebSocketConfig::default() }
    }

    #[test]
    fn with_the_files_that_are_needed_all_clients_and_all_their_connections_fit() {
        for max_connections in [1, 2, 100, 1000, 100_000, u32::MAX] {
            let config = config(max_connections, Transport::ALL);
            let files = OpenFiles { limit: needed(&config) };
            assert_eq!(files.clients(&config), max_connections);
            assert_eq!(files.connections(&config), wanted_connections(&config));
            let unlimited = OpenFiles::unlimited();
            assert_eq!((unlimited.clients(&config), unlimited.kept()), (max_connections, MOST_KEPT));
        }
    }

    #[test]
    fn with_fewer_files_so_many_clients_fit_that_each_has_its_connections_and_some_files_are_left() {
        for (transports, each) in [(Transport::ALL, 2), (&[Transport::Websocket], 1)] {
            let config = config(10_000, transports);
            for limit in 64..30_000 {
                let files = OpenFiles { limit };
                let clients = files.clients(&config) as usize;
                let connections = files.connections(&config);
                assert!(clients * each < connections, "{clients} clients in {connections} of {limit}");
                assert!(connections + files.kept() <= limit && files.kept() >= limit.min(4 * MOST_KEPT) / 4);
                if clients < 10_000 {
                    assert!(connections - clients * each <= SPARE.min(connections / 8) + each, "none is wasted");
                }
            }
        }
        let usual = config(1000, Transport::ALL);
        let few = OpenFiles { limit: 256 };
        assert_eq!((few.for_connections(), few.clients(&usual)), (192, 84));
        assert_eq!(few.clients(&config(1000, &[Transport::Websocket])), 168);
    }

    #[cfg(unix)]
    #[test]
    fn where_the_system_refuses_a_large_limit_the_largest_of_macos_is_set() {
        let most = |most: usize| move |limit: usize| (limit <= most).then_some(()).ok_or(std::io::Error::other("no"));
        assert_eq!(super::raised(256, 20_000, most(10_240)), 10_240);
        assert_eq!(super::raised(256, 20_000, most(100_000)), 20_000);
        assert_eq!(super::raised(256, 3536, most(10_240)), 3536);
        assert_eq!(super::raised(256, 20_000, most(100)), 256);
        assert_eq!(super::raised(15_000, 20_000, most(10_240)), 15_000, "it is never lowered");
        assert_eq!(super::raised(20_000, 3536, most(0)), 20_000);
    }

    #[cfg(unix)]
    #[test]
    fn the_soft_limit_is_raised_as_far_as_it_is_needed_and_never_lowered() {
        use rustix::process::{Resource, getrlimit};

        let soft = || getrlimit(Resource::Nofile).current.map_or(usize::MAX, |soft| soft as usize);
        let before = soft();
        let config = config(100, Transport::ALL);
        let hard = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |hard| hard as usize);
        let granted = OpenFiles::of_this_process(&config);
        assert_eq!((granted.limit, soft()), (granted.limit.max(before), granted.limit));
        assert!(granted.limit >= needed(&config).min(hard));
    }
}
