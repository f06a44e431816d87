//! Ports of this machine: free ones, and the one that was asked for.

use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, bail};

/// The port of an example that is told no other: the service's own default.
pub(super) const DEFAULT_PORT: u16 = 3000;

/// The variable with the port on which the chat serves health checks and metrics.
const OPERATIONS_PORT: &str = "ROOMWIRE_CHAT_OPERATIONS_PORT";

/// Gives the chat a free port for health checks and metrics.
pub(super) fn give_operations_port(command: &mut Command) -> io::Result<()> {
    let [address] = free()?;
    command.env(OPERATIONS_PORT, address.port().to_string());
    Ok(())
}

/// As [`give_operations_port`], unless one is chosen already.
pub(super) fn give_missing_operations_port(command: &mut Command) -> io::Result<()> {
    if env::var_os(OPERATIONS_PORT).is_some() { Ok(()) } else { give_operations_port(command) }
}

/// Some free ports of the loopback address.
pub(super) fn free<const N: usize>() -> io::Result<[SocketAddr; N]> {
    Ok(free_ones(N)?.try_into().unwrap_or_else(|_| unreachable!("as many were found as were asked for")))
}

/// As [`free`], for a number that is not known before.
pub(super) fn free_ones(count: usize) -> io::Result<Vec<SocketAddr>> {
    // All held until the last is known, so that none is found twice.
    let held = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<Vec<_>>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}

/// The address of `ROOMWIRE_HOST` and `ROOMWIRE_PORT`, if it is free.
pub(super) fn wanted() -> anyhow::Result<SocketAddr> {
    let host = env::var("ROOMWIRE_HOST").unwrap_or_else(|_| Ipv4Addr::LOCALHOST.to_string());
    let host = host.parse().with_context(|| format!("ROOMWIRE_HOST is {host:?}, which is no IP address"))?;
    let port = match env::var("ROOMWIRE_PORT") {
        Ok(port) => port.parse().with_context(|| format!("ROOMWIRE_PORT is {port:?}, which is no port"))?,
        Err(_) => DEFAULT_PORT,
    };
    check(SocketAddr::new(host, port))
}

/// The address, with a free port for port 0. An error when it is taken.
fn check(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    match TcpListener::bind(address) {
        Ok(free) => Ok(free.local_addr()?),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!(
                "{address} is taken; stop what listens there, or choose another port, for example by ROOMWIRE_PORT=4000"
            )
        }
        Err(error) => Err(error).with_context(|| format!("nobody can listen on {address}")),
    }
}

/// The address for this machine: a server that listens on all addresses is on loopback as well.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    };
    SocketAddr::new(host, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_listened_on() {
        let [one, other] = free().expect("there are free ports");
        assert_ne!(one, other);
        TcpListener::bind(one).expect("nobody listens there");
    }

    #[test]
    fn a_port_that_is_taken_is_refused_with_what_to_do() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = taken.local_addr().expect("it has an address");
        let refused = check(address).expect_err("it is taken").to_string();
        assert!(refused.starts_with(&format!("{address} is taken; ")), "{refused}");
        assert!(refused.contains("ROOMWIRE_PORT"), "{refused}");
    }

    #[test]
    fn port_zero_becomes_a_free_one() {
        let address = check(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("there are free ports");
        assert_ne!(address.port(), 0);
    }
}
