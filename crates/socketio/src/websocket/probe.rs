//! The probe of an upgrade: a websocket shows that it carries frames both ways before its session moves to it.
//!
//! Proxies and virus scanners that accept a websocket and then block or cut it are why clients begin with HTTP
//! long-polling.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{connection::Connection, frame_reader::Received};

const ANSWER: &[u8] = b"\x81\x063probe";

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Answers the probe of a client, and waits until the client has seen the answer.
    ///
    /// # Errors
    /// Those of the stream, and `InvalidData` for anything but a probe.
    pub(super) async fn probe(&mut self) -> io::Result<()> {
        self.expect("2probe").await?;
        self.write_all(ANSWER).await?;
        self.expect("5").await
    }

    async fn expect(&mut self, expected: &str) -> io::Result<()> {
        loop {
            match self.next().await? {
                Some(Received::Text(text)) if text == expected => return Ok(()),
                Some(Received::Ping(payload)) => {
                    let head = [0x8a, u8::try_from(payload.len()).unwrap_or_default()];
                    self.write_all(&[&head[..], &payload].concat()).await?;
                }
                Some(Received::Pong) => {}
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}
