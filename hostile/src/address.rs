//! Loopback addresses: each client has one of its own, so that the limits of one address hold as they do by default.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};

/// From `127.1.0.0` on.
static NEXT: AtomicU32 = AtomicU32::new(0x7f01_0000);

/// An address that was not used in this process yet.
///
/// On Linux all of `127.0.0.0/8` is this machine.
pub fn fresh() -> Ipv4Addr {
    let mut address = NEXT.fetch_add(1, Ordering::Relaxed);
    // None that looks like the address of a network.
    while address & 0xff == 0 || address & 0xff == 0xff {
        address = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    Ipv4Addr::from_bits(address)
}

/// Connects from one address to another.
///
/// # Errors
/// If the port is closed, or the connection is refused.
pub async fn connect_from(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Lets this process, and those it starts from now on, have as many files open as they may ask for.
pub fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // As many as there are now have to do where the system refuses.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
