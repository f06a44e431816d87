//! The health checks over HTTP, on a listener of their own.

use std::net::SocketAddr;

use roomwire_axum_adapter::health_routes;
use roomwire_service::{Gateway, WebSocketService};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{Answer, Fixture, Http, defaults};

async fn listen(service: WebSocketService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, health_routes(service)).await.expect("serves") });
    address
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_node_is_live_and_ready_and_live_alone_once_it_shuts_down() {
    let fixture = Fixture::foreign(defaults(), Gateway::new()).await;
    let address = listen(fixture.service.clone()).await;
    let ready = Http::once(address, "GET", "/health/ready", "").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    let body = json(&ready);
    assert_eq!((&body["ready"], &body["reasons"]), (&true.into(), &Value::Array(Vec::new())));
    assert_eq!(body["node"], fixture.service.node_id().as_str());
    assert_eq!(body["state"]["available"], true);

    fixture.stop().await;
    let ready = Http::once(address, "GET", "/health/ready", "").await;
    assert_eq!((ready.status, &json(&ready)["reasons"][0]["code"]), (503, &"draining".into()), "{ready:?}");
    let live = Http::once(address, "GET", "/health/live", "").await;
    assert_eq!((live.status, json(&live)["live"].clone()), (200, true.into()), "{live:?}");
}
