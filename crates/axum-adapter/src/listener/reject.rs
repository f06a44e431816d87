//! The response to a connection that is refused.

use std::{sync::Arc, time::Duration};

use roomwire_core::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::open_files::OpenFiles;

/// How long, and up to how many bytes, a refused peer is read from, so that it receives the response: a connection that
/// is closed with unread data is reset, and the response is lost.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_READ: u64 = 16_384;

/// The most refused connections that are read from at one time. Others are closed at once, and may not see the
/// response.
const MAX_READERS: usize = 256;

/// Refuses connections without looking at their requests.
#[derive(Debug)]
pub(super) struct Rejecter {
    /// Whether the peer can read a response in plain HTTP.
    plain: bool,
    free: Arc<Semaphore>,
}

impl Rejecter {
    /// Reads from no more connections than a quarter of the files that are kept: a refused connection may be one of
    /// them.
    pub(super) fn new(plain: bool, files: OpenFiles) -> Self {
        Self { plain, free: Arc::new(Semaphore::new(MAX_READERS.min(files.kept() / 4))) }
    }

    /// Sends 503 with the error and closes the connection.
    pub(super) fn reject(&self, mut stream: TcpStream, error: &Error) {
        if !self.plain {
            return;
        }
        let response = response(error);
        // The send buffer of a new connection is empty: it takes the whole response, or the connection is gone.
        if !matches!(stream.try_write(&response), Ok(written) if written == response.len()) {
            return;
        }
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _permit = permit;
                let read = async {
                    let _ = stream.shutdown().await;
                    let _ = tokio::io::copy(&mut stream.take(MAX_READ), &mut tokio::io::sink()).await;
                };
                let _ = tokio::time::timeout(PATIENCE, read).await;
            });
        }
    }
}

/// The request was not read, so its page is unknown: any page may read the text, without credentials.
fn response(error: &Error) -> Vec<u8> {
    // Two texts; an error of ours always serializes.
    let body = serde_json::to_string(error).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         access-control-allow-origin: *\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
