//! A websocket client that shows and shapes every byte.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

use super::within;

/// A websocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    /// With its code and reason.
    Close(Option<(u16, String)>),
}

/// The head of a client's frame: of this kind and length, masked with zeros.
pub(crate) fn head(opcode: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// The client's id in a CONNECT packet of `/`.
pub(crate) fn connected_id(packet: &str) -> String {
    let connected = packet.strip_prefix("40").unwrap_or_else(|| panic!("no CONNECT: {packet}"));
    let connected: serde_json::Value = serde_json::from_str(connected).expect("a CONNECT packet");
    connected["sid"].as_str().expect("an id").to_owned()
}

/// A text message as bytes.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    [head(1, text.len()), text.as_bytes().to_vec()].concat()
}

/// A websocket, as a client holds it.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: BufReader<TcpStream>,
    /// The session's secret, once it is open.
    pub(crate) session: String,
    /// What the server calls the client, once it is connected to `/`.
    pub(crate) id: String,
    unread: VecDeque<String>,
}

const HEADERS: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The request that asks for a websocket.
pub(crate) fn handshake(query: &str) -> String {
    handshake_with(query, "")
}

fn handshake_with(query: &str, lines: &str) -> String {
    format!("GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nhost: localhost\r\n{HEADERS}{lines}\r\n")
}

impl WebSocket {
    /// Asks for a websocket; the answer's status when there is none.
    pub(crate) async fn ask(address: SocketAddr, query: &str) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(address).await.expect("connects");
        Self::ask_on(stream, &handshake(query)).await
    }

    /// As [`Self::ask`], with extra header lines, each ended by CR LF.
    pub(crate) async fn ask_with(address: SocketAddr, lines: &str) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(address).await.expect("connects");
        Self::ask_on(stream, &handshake_with("", lines)).await
    }

    async fn ask_on(stream: TcpStream, request: &str) -> Result<Self, (u16, String)> {
        stream.set_nodelay(true).expect("no delay");
        let mut socket =
            Self { stream: BufReader::new(stream), session: String::new(), id: String::new(), unread: VecDeque::new() };
        socket.write(request.as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the answer to the handshake", socket.stream.read_u8()).await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text");
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status == 101 {
            return Ok(socket);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().expect("a length")];
        socket.stream.read_exact(&mut body).await.expect("a body");
        Err((status, String::from_utf8(body).expect("text")))
    }

    /// Opens a session, without connecting to a namespace.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::ask(address, "").await.expect("a websocket").opened().await
    }

    /// As [`Self::open`], with the smallest window for what it receives.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        Self::ask_narrow(address, "").await.expect("a websocket").opened().await
    }

    /// As [`Self::ask`], with the smallest window for what it receives.
    pub(crate) async fn ask_narrow(address: SocketAddr, query: &str) -> Result<Self, (u16, String)> {
        Self::ask_with_window(address, query, 4096).await
    }

    /// As [`Self::open`], with a window of so many bytes for what it receives.
    pub(crate) async fn open_with_window(address: SocketAddr, bytes: u32) -> Self {
        Self::ask_with_window(address, "", bytes).await.expect("a websocket").opened().await
    }

    async fn ask_with_window(address: SocketAddr, query: &str, bytes: u32) -> Result<Self, (u16, String)> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("a buffer");
        let stream = socket.connect(address).await.expect("connects");
        Self::ask_on(stream, &handshake(query)).await
    }

    /// Reads the packet that opens the session.
    pub(crate) async fn opened(mut self) -> Self {
        let Some(Frame::Text(open)) = self.frame().await else { panic!("no open packet") };
        let open: serde_json::Value = serde_json::from_str(&open[1..]).expect("an open packet");
        self.session = open["sid"].as_str().expect("a session").to_owned();
        self
    }

    /// Opens a session and connects to the namespace `/`.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::open(address).await.joined().await
    }

    /// Connects to the namespace `/`.
    pub(crate) async fn joined(mut self) -> Self {
        self.send("40").await;
        let connected = self.message().await;
        self.id = connected_id(&connected);
        self
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.write(&frame(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.write(&[head(2, bytes.len()), bytes.to_vec()].concat()).await;
    }

    /// Writes bytes; a connection that the server closed takes them too.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = within("the server reads", self.stream.get_mut().write_all(bytes)).await;
    }

    /// The next frame; none when the connection is over.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        within("a websocket frame", self.read()).await
    }

    async fn read(&mut self) -> Option<Frame> {
        let first = self.stream.read_u8().await.ok()?;
        let length = match self.stream.read_u8().await.ok()? {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.stream.read_exact(&mut payload).await.ok()?;
        match first {
            0x81 => Some(Frame::Text(String::from_utf8(payload).expect("text"))),
            0x82 => Some(Frame::Binary(payload)),
            0x88 => Some(Frame::Close(payload.split_at_checked(2).map(|(code, reason)| {
                let code = u16::from_be_bytes([code[0], code[1]]);
                (code, String::from_utf8(reason.to_vec()).expect("text"))
            }))),
            other => panic!("a frame of kind {other:#x}"),
        }
    }

    /// The next message, pings answered in between; none when the session or the connection is over.
    pub(crate) async fn next(&mut self) -> Option<String> {
        if let Some(kept) = self.unread.pop_front() {
            return Some(kept);
        }
        within("a message", async {
            loop {
                match self.read().await? {
                    Frame::Text(ping) if ping == "2" => self.send("3").await,
                    Frame::Text(close) if close == "1" => {}
                    Frame::Text(text) => return Some(text),
                    Frame::Binary(bytes) => panic!("{} bytes", bytes.len()),
                    Frame::Close(_) => return None,
                }
            }
        })
        .await
    }

    /// The next message, which must come.
    pub(crate) async fn message(&mut self) -> String {
        self.next().await.expect("a message")
    }

    /// Sends an event that asks for an acknowledgement, and waits for it; what comes before is kept.
    pub(crate) async fn ask_for(&mut self, ack: u32, event: &str) -> String {
        self.send(&format!("42{ack}{event}")).await;
        let wanted = format!("43{ack}");
        let mut kept = VecDeque::new();
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("no answer to {}", &event[..event.len().min(60)]));
            match message.strip_prefix(&wanted) {
                Some(answer) => {
                    kept.append(&mut self.unread);
                    self.unread = kept;
                    return answer.to_owned();
                }
                None => kept.push_back(message),
            }
        }
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(message) = self.next().await {
            rest.push(message);
        }
        rest
    }

    /// Waits until the server has closed the TCP connection, whatever comes before.
    pub(crate) async fn closed_by_server(&mut self) {
        let mut buffer = vec![0; 65_536];
        within("the server closes the connection", async {
            while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
        })
        .await;
    }

    /// Says goodbye as the websocket protocol wants it.
    pub(crate) async fn close(mut self) {
        self.write(&[head(8, 2), vec![0x03, 0xe8]].concat()).await;
        self.closed_by_server().await;
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// Breaks the connection with a TCP reset.
    pub(crate) fn reset(self) {
        let stream = self.stream.into_inner();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
    }
}
