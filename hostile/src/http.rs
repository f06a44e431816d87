//! The least of an HTTP/1.1 client, which can also do what no polite one does.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{connect_from, fresh, within};

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// Its header lines as they came.
    pub headers: Vec<String>,
    /// Its body; what is no UTF-8 is replaced.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection that is used for one request after the other.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
}

impl Http {
    /// A connection from an address of its own.
    ///
    /// # Panics
    /// If the port is closed.
    pub async fn connect(server: SocketAddr) -> Self {
        Self::try_from_address(fresh(), server).await.unwrap_or_else(|error| panic!("{server}: {error}"))
    }

    /// A connection from this address.
    ///
    /// # Errors
    /// When there is none.
    pub async fn try_from_address(from: Ipv4Addr, server: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(connect_from(from, server).await?), server })
    }

    /// One request and its answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        self.ask_with(method, target, "", body).await
    }

    /// One request with extra header lines, each ended by CR LF, and its answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn ask_with(&mut self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        self.send(method, target, headers, body.as_bytes()).await;
        self.answer().await.unwrap_or_else(|| panic!("no answer to {method} {target}"))
    }

    /// Sends a request with extra header lines, each ended by CR LF.
    pub async fn send(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n{headers}\r\n",
            self.server,
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    /// Writes bytes; a connection that the server closed takes them too.
    pub async fn write(&mut self, bytes: &[u8]) {
        // A server that refuses what it reads may close before it has read everything.
        let _ = within("the server reads", self.stream.get_mut().write_all(bytes)).await;
    }

    /// Writes bytes; whether the connection still took them.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within("the server reads", self.stream.get_mut().write_all(bytes)).await.is_ok()
    }

    /// The next answer; none when the connection was closed.
    ///
    /// # Panics
    /// When neither happens in time.
    pub async fn answer(&mut self) -> Option<Answer> {
        within("an HTTP answer", self.read()).await
    }

    async fn read(&mut self) -> Option<Answer> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let (mut length, mut headers) = (0, Vec::new());
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            headers.push(line);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    /// Everything up to the end of the connection. A reset is an end as good as any.
    pub async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}
