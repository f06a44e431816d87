//! Tells the address of an example as soon as it answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::ports::{DEFAULT_PORT, reachable};

/// How often it is tried.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How long one try may take; the address is on this machine.
const PATIENCE: Duration = Duration::from_millis(250);

/// Tries an address until it answers or this is dropped.
#[derive(Debug)]
pub(super) struct Announcement {
    _stop: Option<Sender<()>>,
}

impl Announcement {
    /// Starts trying. Prints nothing if the port is unknown, or if another program answers on it already.
    pub(super) fn start(name: &'static str, address: Option<SocketAddr>) -> Self {
        let Some(address) = address.filter(|address| !answers(*address)) else {
            return Self { _stop: None };
        };
        let (stop, stopped) = mpsc::channel::<()>();
        thread::spawn(move || {
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                if answers(address) {
                    eprintln!("{name}: http://{address} (Ctrl-C stops it)");
                    break;
                }
            }
        });
        Self { _stop: Some(stop) }
    }
}

/// Where an example listens that is configured by these variables.
pub(super) fn address(host: Option<&str>, port: Option<&str>) -> Option<SocketAddr> {
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok()).filter(|port| *port != 0)?;
    let host = match host {
        None | Some("localhost") => Ipv4Addr::LOCALHOST.into(),
        Some(host) => host.parse::<IpAddr>().ok()?,
    };
    Some(reachable(SocketAddr::new(host, port)))
}

/// Whether a program listens there.
pub(super) fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(host: Option<&str>, port: Option<&str>) -> Option<String> {
        address(host, port).map(|address| address.to_string())
    }

    #[test]
    fn the_address_follows_the_variables() {
        assert_eq!(shown(None, None).as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(shown(None, Some("4000")).as_deref(), Some("127.0.0.1:4000"));
        assert_eq!(shown(Some("0.0.0.0"), Some("4000")).as_deref(), Some("127.0.0.1:4000"));
        assert_eq!(shown(Some("::"), Some("4000")).as_deref(), Some("[::1]:4000"));
    }

    #[test]
    fn a_port_that_is_not_known_is_not_announced() {
        assert_eq!(shown(None, Some("0")), None);
        assert_eq!(shown(None, Some("many")), None);
        assert_eq!(shown(Some("chat.example.org"), None), None);
    }
}
