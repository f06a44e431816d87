//! Socket.IO over a websocket, by hand: as much of it as a test needs.

use std::{io, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};

/// A connection to the namespace `/`.
#[derive(Debug)]
pub(crate) struct Line {
    socket: WebSocketStream<TcpStream>,
    /// What the server calls the client.
    pub(crate) id: String,
}

/// What a server sends.
#[derive(Debug)]
pub(crate) enum Packet {
    /// An event: the text of its arguments, the name first.
    Event(Utf8Bytes),
    /// An acknowledgement: its number and the text of its arguments.
    Answer(u64, Utf8Bytes),
}

impl Line {
    /// # Errors
    /// When the server does not let the client in.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await.map_err(io::Error::other)?;
        let mut line = Self { socket, id: String::new() };
        let opened = line.text().await?;
        if !opened.starts_with('0') {
            return Err(io::Error::other(format!("no session was opened: {opened}")));
        }
        line.send("40".to_owned()).await?;
        let connected = line.text().await?;
        let id = connected.strip_prefix("40").and_then(|text| {
            let text: serde_json::Value = serde_json::from_str(text).ok()?;
            Some(text["sid"].as_str()?.to_owned())
        });
        line.id = id.ok_or_else(|| io::Error::other(format!("the client was refused: {connected}")))?;
        Ok(line)
    }

    pub(crate) async fn send(&mut self, text: String) -> io::Result<()> {
        self.socket.send(Message::Text(text.into())).await.map_err(io::Error::other)
    }

    /// The next packet. Questions for a sign of life are answered on the way.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> io::Result<Packet> {
        loop {
            let text = self.text().await?;
            if text.starts_with("42[") {
                return Ok(Packet::Event(Utf8Bytes::from(&text[2..])));
            }
            if let Some(answer) = text.strip_prefix("43") {
                let Some(at) = answer.find('[') else { continue };
                let Ok(number) = answer[..at].parse() else { continue };
                return Ok(Packet::Answer(number, Utf8Bytes::from(&answer[at..])));
            }
            if text.as_str() == "41" || text.starts_with("44") {
                return Err(io::Error::other(format!("the server said goodbye: {text}")));
            }
        }
    }

    async fn text(&mut self) -> io::Result<Utf8Bytes> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3".to_owned()).await?,
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(_))) | None => return Err(io::ErrorKind::ConnectionAborted.into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
    }
}
