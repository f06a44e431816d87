//! What a request must show before anything is done for it.

mod addresses;
mod origins;
mod takeover;

use std::net::SocketAddr;

use crate::support::{Answer, Http};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// What the engine says of a session that does not exist.
const UNKNOWN: &str = r#"{"code":"1","message":"Session ID unknown"}"#;

/// The header lines of a websocket handshake.
const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// One request with these header lines, on a connection of its own.
async fn ask(address: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut http = Http::connect(address).await;
    http.send(method, target, headers, body).await;
    http.answer().await.expect("an answer")
}
