//! A server in memory.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use roomwire_core::{ClientId, Error, Namespace};
use tokio::sync::mpsc;

use super::{
    TestClient,
    connection::{Connection, TestTransport},
};
use crate::{Dispatcher, GatewayError, Handshake, IntoGateways, WebSocketService};

/// Serves a gateway to [`TestClient`]s, in memory.
///
/// Cheap to clone. Several servers with services on one hub are a cluster.
#[derive(Clone, Debug)]
pub struct TestServer {
    dispatcher: Dispatcher,
    next_id: Arc<AtomicU64>,
}

/// Why a test server cannot serve a gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestServerError {
    /// The gateways have mistakes; all of them are listed.
    #[error(transparent)]
    Gateways(#[from] GatewayError),
    /// The service is mounted already.
    #[error("{}", .0.source().map_or_else(|| .0.to_string(), ToString::to_string))]
    Service(Error),
}

impl TestServer {
    /// Mounts gateways on a service that has no other server.
    ///
    /// # Errors
    /// Mistakes in the gateways; a service that is mounted already.
    pub fn new(service: WebSocketService, gateways: impl IntoGateways) -> Result<Self, TestServerError> {
        service.attach_server().map_err(TestServerError::Service)?;
        let dispatcher = Dispatcher::new(service, gateways)?;
        Ok(Self { dispatcher, next_id: Arc::default() })
    }

    /// The service under test.
    #[must_use]
    pub fn service(&self) -> &WebSocketService {
        self.dispatcher.service()
    }

    /// Connects a client to the namespace `/`.
    ///
    /// # Errors
    /// The error that the client would get: `SHUTTING_DOWN`, `STATE_UNAVAILABLE`.
    pub async fn connect(&self) -> Result<TestClient, Error> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = ClientId::new(format!("{}-{number}", self.service().node_id()))?;
        self.connect_with(&Namespace::root(), Handshake::new(id)).await
    }

    /// Connects a client to any namespace, with an id and a handshake of the test's choice.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and `INVALID_NAME` for a namespace without a gateway.
    pub async fn connect_with(&self, namespace: &Namespace, handshake: Handshake) -> Result<TestClient, Error> {
        let transport = Arc::new(TestTransport::default());
        let session = self.dispatcher.admit(namespace, handshake, transport.clone()).await?;
        let (outgoing, incoming) = mpsc::channel(self.service().config().limits.send_buffer);
        Ok(TestClient::new(Connection::open(session, transport, outgoing), incoming))
    }
}
