//! A Socket.IO client over a websocket.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A client that is connected to a namespace.
#[derive(Debug)]
pub(crate) struct Client {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The namespace, as packets name it: empty for `/`.
    namespace: String,
    pub(crate) id: String,
}

impl Client {
    /// Connects to a namespace.
    pub(crate) async fn connect(server: SocketAddr, namespace: &str) -> Self {
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
        let (stream, _) = connect_async(url).await.expect("connects");
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let mut client = Self { stream, namespace, id: String::new() };
        assert!(client.packet().await.expect("a handshake").starts_with("0{"));
        client.send(&format!("40{}", client.namespace)).await;
        let connected = client.packet().await.expect("a packet");
        let connected = connected.strip_prefix(&format!("40{}", client.namespace)).expect("connected").to_owned();
        let connected: serde_json::Value = serde_json::from_str(&connected).expect("JSON");
        connected["sid"].as_str().expect("an id").clone_into(&mut client.id);
        client
    }

    /// Connects, and joins a room.
    pub(crate) async fn in_room(server: SocketAddr, namespace: &str, room: &str) -> Self {
        let mut client = Self::connect(server, namespace).await;
        let join = serde_json::to_string(&("join", room)).expect("serializes");
        client.send(&format!("42{}1{join}", client.namespace)).await;
        let acknowledged = client.packet().await.expect("an acknowledgement");
        assert_eq!(acknowledged, format!("43{}1[null]", client.namespace));
        client
    }

    /// The next event as the text of its array.
    pub(crate) async fn event(&mut self) -> String {
        let packet = self.packet().await.expect("an event");
        packet.strip_prefix(&format!("42{}", self.namespace)).expect("an event").to_owned()
    }

    /// Waits until the server has disconnected the client.
    pub(crate) async fn is_disconnected(&mut self) {
        while self.packet().await.is_some_and(|packet| packet != format!("41{}", self.namespace)) {}
    }

    /// The next packet that is no ping. `None` at the end.
    async fn packet(&mut self) -> Option<String> {
        loop {
            let next = timeout(Duration::from_secs(20), self.stream.next()).await.expect("in time");
            match next {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3").await,
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn send(&mut self, packet: &str) {
        self.stream.send(Message::text(packet)).await.expect("sends");
    }
}
