//! The listener: connections, their limits and deadlines, and TLS.

mod accept_errors;
mod accepted;
mod connection_limit;
mod reject;
mod socket_options;
mod tls;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::Router;
use roomwire_core::{ApplyReload, WebSocketConfig};
use roomwire_service::{ReloadError, Reloadable, WebSocketService};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

pub use tls::TlsError;

use accept_errors::AcceptErrors;
use accepted::Serving;
use connection_limit::ConnectionLimiter;
use reject::Rejecter;
use tls::Certificates;

use crate::{open_files::OpenFiles, refusals::Refusals};

/// A socket that listens, and what holds for the connections that it accepts.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    service: WebSocketService,
    shared: Arc<Shared>,
    rejecter: Rejecter,
    refusals: Refusals,
    /// Whether the app limits the time of all bodies itself.
    app_limits_bodies: bool,
}

/// What a reload of the configuration changes.
#[derive(Debug)]
struct Shared {
    limiter: ConnectionLimiter,
    tls: Option<Arc<Certificates>>,
}

/// What was accepted and is not over. When it is dropped, its connections take no further request.
#[derive(Debug)]
pub(crate) struct Accepted {
    serving: Arc<Serving>,
    tasks: TaskTracker,
}

/// The certificate and key that the configuration asks for, if any.
pub(crate) async fn certificates(config: &WebSocketConfig) -> Result<Option<Arc<Certificates>>, TlsError> {
    if !config.ssl {
        if config.tls.cert.is_some() {
            tracing::warn!(target: "roomwire", key = "ssl", "tls.cert is set and ssl is false: connections are not encrypted");
        }
        return Ok(None);
    }
    Certificates::load(&config.tls).await.map(|certificates| Some(Arc::new(certificates)))
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub(crate) fn bind(
        address: SocketAddr,
        service: WebSocketService,
        tls: Option<Arc<Certificates>>,
        refusals: Refusals,
    ) -> io::Result<Self> {
        let socket = socket_options::listen(address)?;
        let config = service.config();
        let files = OpenFiles::of_this_process(&config);
        let limiter = ConnectionLimiter::new(&config, files, refusals.clone());
        let rejecter = Rejecter::new(tls.is_none(), files);
        let shared = Arc::new(Shared { limiter, tls });
        service.add_reloadable(&shared);
        Ok(Self { socket, service, shared, rejecter, refusals, app_limits_bodies: false })
    }

    /// Leaves the time of the bodies of requests to the app, which then answers late ones in its own form.
    pub(crate) fn without_body_timeout(self) -> Self {
        Self { app_limits_bodies: true, ..self }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections until `stop` is ready, and listens no longer then.
    pub(crate) async fn accept_until(self, stop: impl Future<Output = ()>, app: Router) -> Accepted {
        let path = (!self.app_limits_bodies).then(|| self.service.config().path.clone());
        let serving = Serving::new(app, self.shared.tls.clone(), path, self.refusals.clone());
        let accepted = Accepted { serving: Arc::new(serving), tasks: TaskTracker::new() };
        let mut stop = pin!(stop);
        let mut renewal = pin!(self.renew());
        let mut errors = AcceptErrors::default();
        let mut pause = Duration::ZERO;
        loop {
            let accept = async {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                self.socket.accept().await
            };
            tokio::select! {
                biased;
                () = &mut stop => return accepted,
                () = &mut renewal => {}
                connection = accept => match connection {
                    Ok((stream, peer)) => {
                        errors.over();
                        pause = Duration::ZERO;
                        self.begin(stream, peer, &accepted);
                    }
                    Err(error) => pause = errors.failed(&error),
                },
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, accepted: &Accepted) {
        match self.shared.limiter.acquire(peer.ip(), socket_options::file_number(&stream)) {
            Ok(permit) => {
                let config = self.service.config();
                socket_options::set_up(&stream, &config);
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                accepted.tasks.spawn(accepted.serving.clone().serve(stream, peer, permit, &config.limits));
            }
            Err(error) => self.rejecter.reject(stream, &error),
        }
    }

    async fn renew(&self) {
        match &self.shared.tls {
            Some(tls) => tls.renew_every(|| self.service.config().tls.reload).await,
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Reloadable for Shared {
    async fn prepare(self: Arc<Self>, new: &Arc<WebSocketConfig>) -> Result<ApplyReload, ReloadError> {
        let renewed = match &self.tls {
            Some(tls) => Some(
                tls.read(&new.tls)
                    .await
                    .map_err(|error| ReloadError::Refused { key: "tls", problem: error.to_string() })?,
            ),
            None => None,
        };
        let new = new.clone();
        Ok(Box::new(move || {
            self.limiter.set(&new, OpenFiles::of_this_process(&new));
            if let Some((tls, renewed)) = self.tls.as_ref().zip(renewed) {
                tls.replace(renewed);
            }
        }))
    }
}

impl Accepted {
    /// Lets each connection finish the request it is at, and waits until all have; websockets are not waited for.
    pub(crate) async fn finish(&self) {
        self.serving.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends every connection that still stands, websockets too.
    pub(crate) fn end(&self) {
        self.serving.end();
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.serving.closing.cancel();
    }
}
