//! The API on an address of its own.

use std::{net::SocketAddr, time::Duration};

use roomwire_http_api::start;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::fixture::{Node, TOKEN, config};

/// Everything that the server sends after this request, until it closes the connection.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.expect("in time").expect("reads");
    answer
}

#[tokio::test]
async fn it_listens_until_the_node_has_shut_down() {
    let node = Node::new().await;
    let address = start(&node.layer).await.expect("starts").expect("there is a token");
    assert!(address.ip().is_loopback());
    let request =
        format!("GET /v1/nodes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n");
    assert!(exchange(address, &request).await.starts_with("HTTP/1.1 200 OK"));
    let refused = exchange(address, "GET /v1/nodes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized"), "{refused}");
    node.layer.drain().await;
    crate::fixture::eventually("it no longer listens", async || TcpStream::connect(address).await.is_err()).await;
}

#[tokio::test]
async fn without_a_token_nothing_is_served() {
    let mut config = config();
    config.api.token = None;
    let node = Node::configured(config).await;
    assert_eq!(start(&node.layer).await.expect("is no error"), None);
    assert_eq!(node.get("/v1/rooms").await.status, 404, "there are no routes");
}

#[tokio::test]
async fn a_service_that_is_off_has_no_api() {
    let node = Node::configured(roomwire_service::WebSocketConfig { enabled: false, ..config() }).await;
    assert_eq!(start(&node.layer).await.expect("is no error"), None);
    assert_eq!(node.get("/v1/rooms").await.status, 404, "there are no routes");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_the_keys() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let mut config = config();
    config.api.port = taken.local_addr().expect("an address").port();
    let node = Node::configured(config).await;
    let error = start(&node.layer).await.expect_err("is taken").to_string();
    assert!(error.contains("choose another `api.host` or `api.port`"), "{error}");
}
