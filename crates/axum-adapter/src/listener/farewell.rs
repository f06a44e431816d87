//! What a connection is told that is not let in.

use std::{sync::Arc, time::Duration};

use roomwire_core::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use super::door::Refusal;

/// How long, and up to how many bytes, whoever is refused is listened to, so that it hears the answer: a connection that
/// is closed with something unread is reset, and with it the answer is lost.
const PATIENCE: Duration = Duration::from_secs(1);
const ATTENTION: u64 = 16_384;

/// How many are listened to at one time. The others are closed at once, and may not hear why.
const LISTENED_TO: usize = 256;

/// Refuses connections without reading what they ask for.
#[derive(Debug)]
pub(super) struct Farewell {
    /// Whether an answer in plain HTTP can be understood.
    plain: bool,
    free: Arc<Semaphore>,
}

impl Farewell {
    pub(super) fn new(plain: bool) -> Self {
        Self { plain, free: Arc::new(Semaphore::new(LISTENED_TO)) }
    }

    /// Sends the answer and closes the connection.
    pub(super) fn say(&self, mut stream: TcpStream, refusal: &Refusal) {
        if !self.plain {
            return;
        }
        let answer = answer(refusal);
        // The buffer of a new connection is empty: it takes all of it, or the connection is gone.
        if !matches!(stream.try_write(&answer), Ok(written) if written == answer.len()) {
            return;
        }
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _permit = permit;
                let listen = async {
                    let _ = stream.shutdown().await;
                    let _ = tokio::io::copy(&mut stream.take(ATTENTION), &mut tokio::io::sink()).await;
                };
                let _ = tokio::time::timeout(PATIENCE, listen).await;
            });
        }
    }
}

fn answer(refusal: &Refusal) -> Vec<u8> {
    let (status, error) = match refusal {
        Refusal::Full(error) => ("503 Service Unavailable", error),
        Refusal::Address(error) => ("429 Too Many Requests", error),
    };
    // Two texts; an error of ours always serializes.
    let body = serde_json::to_string::<Error>(error).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
