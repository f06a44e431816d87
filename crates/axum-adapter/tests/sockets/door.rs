//! How many TCP connections there may be, in all and for one address.

use std::net::SocketAddr;

use roomwire_service::{Gateway, WebSocketConfig};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Http, Stage, allow_many_files, config, eventually};

/// A connection from another address of this machine.
async fn from(address: &str, server: SocketAddr) -> Http {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(address.parse().expect("an address"), 0)).expect("binds");
    Http::over(socket.connect(server).await.expect("connects"), server)
}

async fn is_served(http: &mut Http) -> bool {
    http.send("GET", "/hello", "", "").await;
    http.answer().await.is_some_and(|answer| answer.status == 200)
}

fn bounded(connections: u32) -> WebSocketConfig {
    let mut config = config();
    config.limits.connections_per_address = connections;
    config
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_has_as_many_connections_as_it_may_and_another_does_not_notice() {
    let stage = Stage::new(bounded(3), Gateway::new()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(from("127.0.0.2", stage.address).await);
        assert!(is_served(held.last_mut().expect("pushed")).await);
    }
    for _ in 0..10 {
        let mut refused = from("127.0.0.2", stage.address).await;
        refused.send("GET", "/hello", "", "").await;
        let answer = refused.rest().await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains(r#""code":"MAX_CONNECTIONS""#), "{answer}");
    }
    assert!(is_served(&mut from("127.0.0.3", stage.address).await).await);
    for connection in &mut held {
        assert!(is_served(connection).await, "who is in is served all the same");
    }
    held.pop();
    eventually("its place is free", async || is_served(&mut from("127.0.0.2", stage.address).await).await).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_counted_by_its_address() {
    let config = WebSocketConfig { trusted_proxies: vec!["127.0.0.2/32".parse().expect("a network")], ..bounded(1) };
    let stage = Stage::new(config, Gateway::new()).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(from("127.0.0.2", stage.address).await);
        assert!(is_served(held.last_mut().expect("pushed")).await);
    }
}

/// Two for each client, and 1024.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_all_connections_the_answer_is_503_without_a_request_being_read() {
    allow_many_files();
    let stage = Stage::new(WebSocketConfig { max_connections: 1, ..config() }, Gateway::new()).await;
    let mut held = Vec::new();
    for _ in 0..1026 {
        held.push(TcpStream::connect(stage.address).await.expect("connects"));
    }
    let mut refused = Http::connect(stage.address).await;
    let answer = refused.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"MAX_CONNECTIONS""#), "{answer}");
    held.pop();
    eventually("one is free", async || is_served(&mut Http::connect(stage.address).await).await).await;
}
