//! TLS with a certificate that can be renewed while the server runs.

mod error;
mod files;
mod renewal;

use std::{fmt, io, sync::Arc};

use parking_lot::{Mutex, RwLock};
use roomwire_core::config::Tls;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::Instant,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use error::TlsError;
use files::{Contents, Files};

/// The server's certificate and private key, from the files `tls.cert` and `tls.key`.
pub(crate) struct Certificates {
    watched: Mutex<Watched>,
    current: RwLock<Arc<ServerConfig>>,
    /// Notified when other files are watched, or the interval may be another.
    replaced: Notify,
}

/// The files that are looked at.
struct Watched {
    files: Files,
    /// What was read last, whether it was of use or not.
    seen: Contents,
    /// The number of reloads, for a look that began before one and ends after it.
    generation: u64,
}

/// What was read for [`Certificates::replace`].
pub(crate) struct Renewed {
    files: Files,
    seen: Contents,
    config: ServerConfig,
}

impl Certificates {
    /// Reads the files, on a thread where that may take its time.
    pub(crate) async fn load(tls: &Tls) -> Result<Self, TlsError> {
        let Renewed { files, seen, config } = read(tls).await?;
        let watched = Mutex::new(Watched { files, seen, generation: 0 });
        Ok(Self { watched, current: RwLock::new(Arc::new(config)), replaced: Notify::new() })
    }

    /// The handshake with a client, under the certificate of this moment.
    ///
    /// # Errors
    /// When the client does not speak TLS, or not a version or cipher that is good enough, or takes longer than until
    /// `deadline`.
    pub(crate) async fn accept<S>(&self, stream: S, deadline: Instant) -> io::Result<Box<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.current.read().clone());
        tokio::time::timeout_at(deadline, acceptor.accept(stream)).await?.map(Box::new)
    }
}

async fn read(tls: &Tls) -> Result<Renewed, TlsError> {
    let files = Files::named_by(tls)?;
    let reading = files.clone();
    let read = tokio::task::spawn_blocking(move || {
        let contents = reading.read()?;
        let config = reading.config(&contents)?;
        Ok::<_, TlsError>((contents, config))
    });
    let (seen, config) = read.await.map_err(|error| files.interrupted(&error))??;
    Ok(Renewed { files, seen, config })
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.watched.lock().files).finish_non_exhaustive()
    }
}
