//! A client that speaks by HTTP requests.

use std::net::SocketAddr;

use super::{Answer, Frame, Http, WebSocket, websocket::connected_id};

/// A session over HTTP requests: one connection to send, one to receive.
#[derive(Debug)]
pub(crate) struct Polling {
    /// The session's secret.
    pub(crate) session: String,
    /// What the server calls the client, once it is connected to `/`.
    pub(crate) id: String,
    target: String,
    posts: Http,
    gets: Http,
}

impl Polling {
    /// Opens a session, without connecting to a namespace.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut gets = Http::connect(address).await;
        let answer = gets.ask("GET", "/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let open: serde_json::Value = serde_json::from_str(&answer.body[1..]).expect("an open packet");
        let session = open["sid"].as_str().expect("a session").to_owned();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={session}");
        Self { session, id: String::new(), target, posts: Http::connect(address).await, gets }
    }

    /// Opens a session and connects to the namespace `/`.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        assert_eq!(client.post("40").await.status, 200);
        let packets = client.poll().await;
        client.id = connected_id(&packets[0]);
        client
    }

    /// Moves to a websocket.
    pub(crate) async fn upgraded(&self, address: SocketAddr) -> WebSocket {
        let mut socket = WebSocket::ask(address, &format!("&sid={}", self.session)).await.expect("a websocket");
        socket.send("2probe").await;
        assert_eq!(socket.frame().await, Some(Frame::Text("3probe".to_owned())));
        socket.send("5").await;
        socket
    }

    pub(crate) async fn post(&mut self, body: &str) -> Answer {
        self.posts.ask("POST", &self.target, body).await
    }

    /// Begins a request that hands in packets, without waiting for the answer.
    pub(crate) async fn begin_post(&mut self, body: &str) {
        self.posts.send("POST", &self.target, "", body).await;
    }

    pub(crate) async fn posted(&mut self) -> Answer {
        self.posts.answer().await.expect("an answer")
    }

    /// Begins to wait for packets.
    pub(crate) async fn begin_poll(&mut self) {
        self.gets.send("GET", &self.target, "", "").await;
    }

    /// Waits for packets on a connection of its own.
    pub(crate) async fn another_poll(&self) -> Http {
        let mut http = Http::connect(self.gets.address()).await;
        http.send("GET", &self.target, "", "").await;
        http
    }

    pub(crate) async fn polled(&mut self) -> Option<Answer> {
        self.gets.answer().await
    }

    /// The next packets; pings are answered and left out.
    pub(crate) async fn poll(&mut self) -> Vec<String> {
        loop {
            self.begin_poll().await;
            let answer = self.polled().await.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut packets: Vec<String> = answer.body.split('\u{1e}').map(str::to_owned).collect();
            let all = packets.len();
            packets.retain(|packet| packet != "2");
            if packets.len() < all {
                assert_eq!(self.post("3").await.status, 200);
            }
            if !packets.is_empty() {
                return packets;
            }
        }
    }
}
