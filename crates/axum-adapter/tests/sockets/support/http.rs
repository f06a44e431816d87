//! The least of an HTTP/1.1 client.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

use super::within;

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A connection that is used for one request after the other.
#[derive(Debug)]
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        stream.set_nodelay(true).expect("no delay");
        Self::over(stream, address)
    }

    /// A connection from another address of this machine.
    pub(crate) async fn connect_from(local: &str, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(local.parse().expect("an address"), 0)).expect("binds");
        Self::over(socket.connect(server).await.expect("connects"), server)
    }

    pub(crate) fn over(stream: TcpStream, address: SocketAddr) -> Self {
        Self { stream: BufReader::new(stream), address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// One request on a connection of its own.
    pub(crate) async fn once(address: SocketAddr, method: &str, target: &str, body: &str) -> Answer {
        let mut http = Self::connect(address).await;
        http.ask(method, target, body).await
    }

    pub(crate) async fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        self.send(method, target, "", body).await;
        self.answer().await.expect("an answer")
    }

    /// Sends a request with extra header lines, each ended by CR LF.
    pub(crate) async fn send(&mut self, method: &str, target: &str, headers: &str, body: &str) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        // A server that refuses what it reads may close before it has read everything.
        let _ = self.stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
    }

    /// Writes bytes; a connection that the server closed takes them too.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes).await;
    }

    /// The next answer; none when the connection was closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        within("an HTTP answer", self.read()).await.map(|(_, answer)| answer)
    }

    /// The next answer after its header lines, each ended by CR LF.
    pub(crate) async fn answer_with_head(&mut self) -> Option<(String, Answer)> {
        within("an HTTP answer", self.read()).await
    }

    async fn read(&mut self) -> Option<(String, Answer)> {
        let mut head = String::new();
        let first = self.line().await?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            head.extend([&*line, "\r\n"]);
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((head, Answer { status, body: String::from_utf8(body).expect("text") }))
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    /// Everything up to the end of the connection, which must come.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as good as any.
        let _ = within("the server closes the connection", self.stream.read_to_end(&mut rest)).await;
        String::from_utf8(rest).expect("text")
    }

    /// Sends nothing more.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.get_mut().shutdown().await;
    }
}
