//! The checks of a request before anything is done for it.

mod addresses;
mod cors;
mod loopback;
mod origins;
mod takeover;

use std::net::SocketAddr;

use crate::support::{Answer, Http};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// What the engine says of a session that does not exist.
const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// The header lines of a websocket handshake.
const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The header lines of a response, in lower case, and the response.
async fn ask_with_head(address: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> (String, Answer) {
    let mut http = Http::connect(address).await;
    http.send(method, target, headers, body).await;
    let (head, answer) = http.answer_with_head().await.expect("an answer");
    (head.to_ascii_lowercase(), answer)
}

/// One request with these header lines, on a connection of its own.
async fn ask(address: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut http = Http::connect(address).await;
    http.send(method, target, headers, body).await;
    http.answer().await.expect("an answer")
}
