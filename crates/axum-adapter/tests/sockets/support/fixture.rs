//! A server under test.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use roomwire_axum_adapter::{RoomwireLayer, Server, mount};
use roomwire_core::StateStore;
use roomwire_service::{IntoGateways, PageRequest, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{eventually, within};

/// The defaults, on any free port.
pub(crate) fn defaults() -> WebSocketConfig {
    WebSocketConfig { port: 0, ..WebSocketConfig::default() }
}

/// The defaults, on any free port, for clients that send and join faster, and more, than people do.
pub(crate) fn config() -> WebSocketConfig {
    let mut config = defaults();
    config.limits = config.limits.without_rates();
    config.limits.rooms_per_client = 10_000;
    config
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) service: WebSocketService,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    /// When the server is not Roomwire's own.
    layer: Option<RoomwireLayer>,
}

impl Fixture {
    /// Roomwire's own server.
    pub(crate) async fn new(config: WebSocketConfig, gateways: impl IntoGateways) -> Self {
        Self::of(WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds"), gateways)
            .await
    }

    /// Roomwire's own server, over a store of the test's choice.
    pub(crate) async fn with_store(
        config: WebSocketConfig,
        gateways: impl IntoGateways,
        store: Arc<dyn StateStore>,
    ) -> Self {
        let builder = WebSocketService::builder(config).state_and_backplane(store, Arc::new(MemoryState::new()));
        Self::of(builder.build().await.expect("builds"), gateways).await
    }

    /// Roomwire's own server, for a service that the test put together.
    pub(crate) async fn of(service: WebSocketService, gateways: impl IntoGateways) -> Self {
        let upload = async |body: Bytes| body.len().to_string();
        let app = Router::new().route("/hello", get(async || "hello")).route("/upload", post(upload));
        let server = Server::bind(app, service.clone(), gateways).await.expect("binds");
        let address = server.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let run = server.run_until(async {
            // A fixture that is dropped leaves its server to the end of the runtime.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let server = tokio::spawn(async { run.await.expect("runs") });
        Self { service, address, stop: Some(stop), server, layer: None }
    }

    /// A server of the application's own, with the layer mounted. It does not tell the addresses of its peers.
    pub(crate) async fn foreign(config: WebSocketConfig, gateways: impl IntoGateways) -> Self {
        Self::foreign_of(config, gateways, false).await
    }

    /// As [`Self::foreign`], with the addresses of its peers.
    pub(crate) async fn foreign_with_peers(config: WebSocketConfig, gateways: impl IntoGateways) -> Self {
        Self::foreign_of(config, gateways, true).await
    }

    async fn foreign_of(config: WebSocketConfig, gateways: impl IntoGateways, tells_peers: bool) -> Self {
        let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
        let layer = mount(service.clone(), gateways).expect("mounts");
        let app = Router::new().route("/hello", get(|| async { "hello" })).layer(layer.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            if tells_peers {
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, app).await.expect("runs");
            } else {
                axum::serve(listener, app).await.expect("runs");
            }
        });
        Self { service, address, stop: None, server, layer: Some(layer) }
    }

    /// Tells the server to stop.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().expect("told once").send(()).expect("runs");
    }

    /// Stops in good order.
    pub(crate) async fn stop(mut self) {
        match &self.layer {
            Some(layer) => layer.shutdown().await,
            None => {
                self.tell_to_stop();
                self.ended().await;
            }
        }
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        within("the server ends", self.server).await.expect("no panic");
    }

    /// Waits until so many clients take part in `/`: a client is told that it is connected a moment before.
    pub(crate) async fn holds(&self, clients: usize) {
        eventually("all take part", async || self.service.local_client_count() == clients).await;
    }

    /// Whether a room has so many members, as far as the store and the node know. The store is first: a broadcast reaches
    /// the members that the node knows.
    pub(crate) async fn has_members(&self, room: &str, count: usize) -> bool {
        let stored = self.service.member_count(room).await.expect("counts");
        let clients = self.service.clients(&PageRequest::first(PageRequest::MAX_LIMIT)).await.expect("answers").items;
        let here = clients.iter().filter_map(|client| self.service.local_client(&client.id));
        stored == count as u64
            && here.filter(|client| client.rooms().iter().any(|in_it| in_it.as_str() == room)).count() == count
    }

    /// Waits until no client is connected any more, as far as the node and the store know.
    pub(crate) async fn empty(&self) {
        eventually("no client is left", async || {
            self.service.local_client_count() == 0 && self.service.client_count().await.expect("counts") == 0
        })
        .await;
    }
}
