//! How accepted connections are set up.

use std::{io, net::SocketAddr, time::Duration};

use roomwire_core::WebSocketConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// After how much silence a connection is checked, and how often.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));

/// How much longer `TCP_USER_TIMEOUT` is than the write deadline. The difference tells a peer that is alive but reads
/// nothing from a peer that vanished and acknowledges nothing.
#[cfg(target_os = "linux")]
const LATER: Duration = Duration::from_secs(2);

/// How many connections may wait to be accepted. With the usual 128, many clients that come back at once are reset.
const BACKLOG: u32 = 4096;

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio does by itself: elsewhere it would let two servers share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The number of the open file that a connection is. The system gives each new one the lowest that is free.
#[cfg(unix)]
pub(super) fn file_number(stream: &TcpStream) -> usize {
    use std::os::fd::AsRawFd;

    usize::try_from(stream.as_raw_fd()).unwrap_or_default()
}

#[cfg(not(unix))]
pub(super) fn file_number(_stream: &TcpStream) -> usize {
    0
}

/// Small messages go out at once, and peers that vanished or take nothing are found.
pub(super) fn set_up(stream: &TcpStream, config: &WebSocketConfig) {
    // A connection that broke in this moment fails at its first read.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(target: "roomwire", %error, "TCP_NODELAY could not be set");
    }
    let socket = SockRef::from(stream);
    if config.keep_alive
        && let Err(error) = socket.set_tcp_keepalive(&KEEPALIVE)
    {
        tracing::debug!(target: "roomwire", %error, "keepalive could not be set");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket.set_tcp_user_timeout(Some(config.limits.write_timeout + LATER)) {
        tracing::debug!(target: "roomwire", %error, "TCP_USER_TIMEOUT could not be set");
    }
}

/// Writes as much as there is room for, also when that is too little for the system to call the socket writable.
pub(super) fn write_at_once(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(stream).send(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roomwire_core::WebSocketConfig;
    use socket2::SockRef;
    use tokio::net::TcpStream;

    use super::{listen, set_up};

    #[tokio::test]
    async fn each_option_is_set() {
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("listens");
        let address = listener.local_addr().expect("an address");
        let mut config = WebSocketConfig::default();
        config.limits.write_timeout = Duration::from_millis(1234);
        for keep_alive in [true, false] {
            config.keep_alive = keep_alive;
            let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (stream, _) = accepted.expect("accepted");
            set_up(&stream, &config);
            assert!(stream.nodelay().expect("known"));
            let socket = SockRef::from(&stream);
            assert_eq!(socket.keepalive().expect("known"), keep_alive);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().expect("known"), Some(Duration::from_millis(1234) + super::LATER));
        }
    }
}
