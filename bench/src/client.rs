//! A client of Socket.IO over a websocket: as much of one as a measurement needs.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};

/// A client that is connected to the namespace `/`.
pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects, showing this token if there is one.
    pub(crate) async fn connect(address: SocketAddr, token: Option<&str>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let config = WebSocketConfig::default().read_buffer_size(4096);
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        let mut client = Self(socket);
        let opened = client.next().await?;
        ensure!(opened.starts_with('0'), "no session was opened: {opened}");
        let shown = token.map(|token| format!(r#"{{"token":"{token}"}}"#)).unwrap_or_default();
        client.send(format!("40{shown}").into()).await?;
        let connected = client.next().await?;
        ensure!(connected.starts_with("40"), "the client was refused: {connected}");
        Ok(client)
    }

    /// Joins a room and waits until the server says that it is done.
    pub(crate) async fn join(&mut self, room: &str) -> anyhow::Result<()> {
        self.send(format!(r#"420["join","{room}"]"#).into()).await?;
        let answer = self.next().await?;
        ensure!(answer.starts_with("430") && !answer.contains("error"), "a room was not joined: {answer}");
        Ok(())
    }

    pub(crate) async fn send(&mut self, text: Utf8Bytes) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Text(text)).await?)
    }

    /// The next packet. Questions for a sign of life are answered on the way.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Utf8Bytes> {
        loop {
            match self.0.next().await.context("the server ended the connection")?? {
                Message::Text(text) if text.as_str() == "2" => self.send("3".into()).await?,
                Message::Text(text) => return Ok(text),
                Message::Close(_) => bail!("the server closed the connection"),
                _ => {}
            }
        }
    }

    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.send("41".into()).await?;
        Ok(self.0.close(None).await?)
    }
}
