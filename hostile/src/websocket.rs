//! A websocket client that shows and shapes every byte.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{Answer, connect_from, fresh, within};

/// A websocket message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Text; what is no UTF-8 is replaced.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The end.
    Close,
}

/// There is no websocket: what was answered instead; none when the connection was closed.
pub type Refused = Option<Answer>;

/// The head of a client's frame: the last one of its message, of this kind and length, masked with zeros.
#[must_use]
pub fn head(opcode: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// A text message as bytes.
#[must_use]
pub fn frame(text: &str) -> Vec<u8> {
    [head(1, text.len()), text.as_bytes().to_vec()].concat()
}

/// A part of a message that is not its last one: the first of a text, or a later one.
#[must_use]
pub fn continuation(first: bool, bytes: &[u8]) -> Vec<u8> {
    let mut head = head(u8::from(first), bytes.len());
    head[0] &= 0x7f;
    [head, bytes.to_vec()].concat()
}

const HEADERS: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A websocket, as a client holds it.
#[derive(Debug)]
pub struct WebSocket {
    stream: TcpStream,
    /// What came and was not taken yet.
    buffer: Vec<u8>,
    /// Where the rest of it begins.
    taken: usize,
    /// The engine's session, once it is open.
    pub session: String,
    /// What the server calls the client, once it is connected to a namespace.
    pub id: String,
    kept: VecDeque<String>,
}

impl WebSocket {
    /// Asks for a websocket over this connection, with more in the query and header lines that end in CR LF.
    ///
    /// # Errors
    /// The answer when it is another.
    pub async fn ask(stream: TcpStream, query: &str, headers: &str) -> Result<Self, Refused> {
        let mut socket = Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
            session: String::new(),
            id: String::new(),
            kept: VecDeque::new(),
        };
        let host = socket.stream.peer_addr().map(|server| server.to_string()).unwrap_or_default();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nhost: {host}\r\n{HEADERS}{headers}\r\n"
        );
        socket.write(request.as_bytes()).await;
        let answered = within("the answer to the handshake", socket.answer()).await;
        match answered {
            Some(Answer { status: 101, .. }) => Ok(socket),
            other => Err(other),
        }
    }

    async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await.ok()?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let mut answer = Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            headers: head.lines().skip(1).map(str::to_owned).collect(),
            body: String::new(),
        };
        let length: usize = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        while answer.status != 101 && self.buffer.len() < end + length {
            self.more().await.ok()?;
        }
        if answer.status != 101 {
            answer.body = String::from_utf8_lossy(&self.buffer[end..end + length]).into_owned();
        }
        self.taken = end;
        Some(answer)
    }

    /// Opens a session from an address of its own, without connecting to a namespace.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(server: SocketAddr) -> Self {
        Self::open_from(fresh(), server).await.unwrap_or_else(|refused| panic!("no session: {refused:?}"))
    }

    /// Opens a session from this address, without connecting to a namespace.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open_from(from: Ipv4Addr, server: SocketAddr) -> Result<Self, Refused> {
        let stream = connect_from(from, server).await.map_err(|_| None)?;
        Self::ask(stream, "", "").await?.opened().await
    }

    /// As [`Self::open`], with the smallest window for what it receives.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open_narrow(server: SocketAddr) -> Self {
        let narrow = async {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(4096)?;
            socket.bind(SocketAddr::from((fresh(), 0)))?;
            socket.connect(server).await
        };
        let stream = narrow.await.unwrap_or_else(|error| panic!("{server}: {error}"));
        let opened = Self::ask(stream, "", "").await;
        let opened = opened.unwrap_or_else(|refused| panic!("no session: {refused:?}")).opened().await;
        opened.unwrap_or_else(|refused| panic!("no session: {refused:?}"))
    }

    async fn opened(mut self) -> Result<Self, Refused> {
        let Some(Frame::Text(open)) = within("the open packet", self.frame()).await else { return Err(None) };
        let open: Value = serde_json::from_str(open.get(1..).unwrap_or_default()).unwrap_or_default();
        open["sid"].as_str().unwrap_or_default().clone_into(&mut self.session);
        Ok(self)
    }

    /// Opens a session from an address of its own and connects to the namespace `/`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn connect(server: SocketAddr) -> Self {
        Self::connect_from(fresh(), server).await.unwrap_or_else(|refused| panic!("not connected: {refused}"))
    }

    /// Opens a session from this address and connects to the namespace `/`.
    ///
    /// # Errors
    /// What came instead.
    pub async fn connect_from(from: Ipv4Addr, server: SocketAddr) -> Result<Self, String> {
        Self::connect_by(from, server, "40").await
    }

    /// As [`Self::connect_from`], by a packet that shows something.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_by(from: Ipv4Addr, server: SocketAddr, packet: &str) -> Result<Self, String> {
        let opened = Self::open_from(from, server).await.map_err(|refused| format!("{refused:?}"))?;
        opened.joined(packet).await
    }

    /// Connects to a namespace by this packet.
    ///
    /// # Errors
    /// What came instead.
    pub async fn joined(mut self, packet: &str) -> Result<Self, String> {
        self.send(packet).await;
        let connected = within("the answer to CONNECT", self.next()).await.unwrap_or_default();
        if !connected.starts_with("40") {
            return Err(connected);
        }
        let text: Value =
            connected.find('{').and_then(|at| serde_json::from_str(&connected[at..]).ok()).unwrap_or_default();
        text["sid"].as_str().unwrap_or_default().clone_into(&mut self.id);
        Ok(self)
    }

    /// Sends a text; a connection that the server closed takes it too.
    pub async fn send(&mut self, text: &str) {
        self.write(&frame(text)).await;
    }

    /// Sends bytes; a connection that the server closed takes them too.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.write(&[head(2, bytes.len()), bytes.to_vec()].concat()).await;
    }

    /// Writes bytes as they are; a connection that the server closed takes them too.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = within("the server reads", self.stream.write_all(bytes)).await;
    }

    /// Writes bytes as they are; whether the connection still took them.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within("the server reads", self.stream.write_all(bytes)).await.is_ok()
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next frame, as long as that takes; none when the connection is over.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.whole_frame() {
                return Some(frame);
            }
            self.more().await.ok()?;
        }
    }

    fn whole_frame(&mut self) -> Option<Frame> {
        let rest = &self.buffer[self.taken..];
        let (at, length) = match *rest.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?)).ok()?),
            length => (2, usize::from(length)),
        };
        let payload = rest.get(at..at + length)?;
        let frame = match rest[0] & 0x0f {
            1 => Frame::Text(String::from_utf8_lossy(payload).into_owned()),
            2 => Frame::Binary(payload.to_vec()),
            _ => Frame::Close,
        };
        self.taken += at + length;
        Some(frame)
    }

    /// The next text, as long as that takes, pings answered in between; none when the session or the connection is
    /// over.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped, but that a ping may stay without an answer.
    pub async fn next(&mut self) -> Option<String> {
        if let Some(kept) = self.kept.pop_front() {
            return Some(kept);
        }
        loop {
            match self.frame().await? {
                Frame::Text(ping) if ping == "2" => self.send("3").await,
                Frame::Text(text) => return Some(text),
                Frame::Binary(_) => {}
                Frame::Close => return None,
            }
        }
    }

    /// Sends an event that asks for an acknowledgement, and waits for it; what comes before is kept. None when the
    /// connection ends before.
    ///
    /// # Panics
    /// When neither happens in time.
    pub async fn ask_for(&mut self, ack: u32, event: &str) -> Option<String> {
        self.send(&format!("42{ack}{event}")).await;
        within("an acknowledgement", self.acknowledged(ack)).await
    }

    /// Waits for an acknowledgement; what comes before is kept.
    pub async fn acknowledged(&mut self, ack: u32) -> Option<String> {
        let wanted = format!("43{ack}[");
        let mut kept = VecDeque::new();
        let answer = loop {
            match self.next().await {
                Some(message) if message.starts_with(&wanted) => break Some(message[wanted.len() - 1..].to_owned()),
                Some(message) => kept.push_back(message),
                None => break None,
            }
        };
        kept.append(&mut self.kept);
        self.kept = kept;
        answer
    }

    /// Reads to the end of the connection, as long as that takes: all texts.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(message) = self.next().await {
            rest.push(message);
        }
        rest
    }

    /// Waits until the server has closed the TCP connection, whatever comes before and as long as that takes.
    pub async fn closed_by_server(&mut self) {
        let mut buffer = vec![0; 65_536];
        while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
    }

    /// Says goodbye as the websocket protocol wants it.
    ///
    /// # Panics
    /// When the server does not close the connection in time.
    pub async fn close(mut self) {
        self.write(&[head(8, 2), vec![0x03, 0xe8]].concat()).await;
        within("the server closes the connection", self.closed_by_server()).await;
    }

    /// Breaks the connection with a TCP reset.
    pub fn reset(self) {
        // Without it the connection ends in good order, which is an end too.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
