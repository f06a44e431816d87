//! Whether a server uses TLS: asked when a connection failed, because neither side's error says so.

use std::time::Duration;

use redis::{Client, ConnectionAddr, ConnectionInfo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// What to change in the URL of a server that uses TLS while the URL does not, or the other way round. `None` when that
/// is not why a connection failed.
pub(crate) async fn advice(server: &ConnectionInfo, within: Duration) -> Option<&'static str> {
    let asked = async {
        match server.addr() {
            ConnectionAddr::TcpTls { host, port, .. } if answers_without_tls(host, *port).await => {
                Some("does not use TLS: write redis:// instead of rediss:// in its URL")
            }
            ConnectionAddr::Tcp(host, port) if answers_with_tls(server, host, *port).await => {
                Some("uses TLS: write rediss:// instead of redis:// in its URL")
            }
            _ => None,
        }
    };
    timeout(within, asked).await.ok().flatten()
}

/// Redis answers a command, or refuses it in words; both begin with a sign.
async fn answers_without_tls(host: &str, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((host, port)).await else { return false };
    stream.write_all(b"PING\r\n").await.is_ok() && matches!(stream.read_u8().await, Ok(b'+' | b'-'))
}

/// A server that uses TLS shows a certificate, whether it is trusted here or not.
async fn answers_with_tls(server: &ConnectionInfo, host: &str, port: u16) -> bool {
    let with_tls = ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None };
    let Ok(client) = Client::open(server.clone().set_addr(with_tls)) else { return false };
    match client.get_multiplexed_async_connection().await {
        Ok(_) => true,
        Err(error) => error.to_string().contains("certificate"),
    }
}
