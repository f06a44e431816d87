//! A client that comes back with the id it had: its next stay begins when the former has ended.

mod handlers;
mod rounds;
mod store;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_core::Namespace;
use roomwire_service::{
    Client, ClientId, Data, Error, Gateway, Handshake, ServiceEvent, State, WebSocketService,
    testing::{TestClient, TestServer},
};
use tokio::time::sleep;

use crate::fixture::Ledger;

/// What the handlers of a gateway did, in order.
#[derive(Clone, Default)]
struct HandlerLog(Arc<Mutex<Vec<String>>>);

impl HandlerLog {
    fn note(&self, entry: impl Into<String>) {
        self.0.lock().push(entry.into());
    }

    fn entries(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

async fn connected(State(diary): State<HandlerLog>) -> Result<(), Error> {
    diary.note("on_connect");
    Ok(())
}

async fn disconnected(State(diary): State<HandlerLog>) -> Result<(), Error> {
    diary.note("on_disconnect");
    Ok(())
}

/// Answers with the number of milliseconds that it took.
async fn slow(State(diary): State<HandlerLog>, Data(millis): Data<u64>) -> Result<u64, Error> {
    sleep(Duration::from_millis(millis)).await;
    diary.note("slow");
    Ok(millis)
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

/// A gateway without `on_disconnect`.
fn gateway(diary: &HandlerLog) -> Gateway {
    Gateway::new().with_state(diary.clone()).on("slow", slow).on("join", join)
}

fn id() -> ClientId {
    ClientId::new("ada").expect("valid")
}

async fn try_to_connect(server: &TestServer) -> Result<TestClient, Error> {
    server.connect_with(&Namespace::root(), Handshake::new(id())).await
}

async fn connect(server: &TestServer) -> TestClient {
    try_to_connect(server).await.expect("connects")
}

/// The events about clients, by their names.
async fn told(ledger: &Ledger) -> Vec<&'static str> {
    ledger.complete().await;
    let name = |event| match event {
        ServiceEvent::ClientConnected { .. } => Some("connected"),
        ServiceEvent::ClientDisconnected { .. } => Some("disconnected"),
        ServiceEvent::Joined { .. } => Some("joined"),
        ServiceEvent::Left { .. } => Some("left"),
        _ => None,
    };
    ledger.events().into_iter().filter_map(name).collect()
}
