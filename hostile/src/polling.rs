//! A client that speaks by HTTP requests.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use crate::{Answer, Http, fresh};

/// A session over HTTP requests: one connection to send, one to receive, from one address.
#[derive(Debug)]
pub struct Polling {
    /// What names the session in its requests.
    pub session: String,
    /// What the server calls the client, once it is connected to a namespace.
    pub id: String,
    /// Where its requests go.
    pub target: String,
    from: Ipv4Addr,
    server: SocketAddr,
    /// The connection to send by.
    pub posts: Http,
    /// The connection to receive by.
    pub gets: Http,
}

impl Polling {
    /// Opens a session from this address, without connecting to a namespace.
    ///
    /// # Errors
    /// The answer that refuses it; none when the connection was closed.
    pub async fn open_from(from: Ipv4Addr, server: SocketAddr) -> Result<Self, Option<Answer>> {
        let mut gets = Http::try_from_address(from, server).await.map_err(|_| None)?;
        let posts = Http::try_from_address(from, server).await.map_err(|_| None)?;
        gets.send("GET", "/socket.io/?EIO=4&transport=polling", "", b"").await;
        let answer = gets.answer().await;
        let Some(Answer { status: 200, ref body, .. }) = answer else { return Err(answer) };
        let open: Value = serde_json::from_str(body.get(1..).unwrap_or_default()).unwrap_or_default();
        let session = open["sid"].as_str().unwrap_or_default().to_owned();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={session}");
        Ok(Self { session, id: String::new(), target, from, server, posts, gets })
    }

    /// Opens a session from an address of its own and connects to the namespace `/`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn connect(server: SocketAddr) -> Self {
        Self::connect_by(server, "40").await
    }

    /// As [`Self::connect`], by a packet that shows something.
    ///
    /// # Panics
    /// As there.
    pub async fn connect_by(server: SocketAddr, packet: &str) -> Self {
        let opened = Self::open_from(fresh(), server).await;
        let mut client = opened.unwrap_or_else(|refused| panic!("no session: {refused:?}"));
        assert_eq!(client.post(packet).await.status, 200);
        let packets = client.poll().await.unwrap_or_default();
        let Some(connected) = packets.first().and_then(|packet| packet.strip_prefix("40")) else {
            panic!("not connected: {packets:?}")
        };
        let connected: Value = serde_json::from_str(connected).unwrap_or_default();
        connected["sid"].as_str().unwrap_or_default().clone_into(&mut client.id);
        client
    }

    /// Hands in packets.
    ///
    /// # Panics
    /// When there is no answer in time.
    pub async fn post(&mut self, body: &str) -> Answer {
        self.posts.send("POST", &self.target, "", body.as_bytes()).await;
        if let Some(answer) = self.posts.answer().await {
            return answer;
        }
        // The server closes connections that are not used for a while.
        let posts = Http::try_from_address(self.from, self.server).await;
        self.posts = posts.unwrap_or_else(|error| panic!("{}: {error}", self.server));
        self.posts.ask("POST", &self.target, body).await
    }

    /// The next packets, as long as they take; pings are answered and left out. None when the session is over.
    pub async fn poll(&mut self) -> Option<Vec<String>> {
        loop {
            self.gets.send("GET", &self.target, "", b"").await;
            let answer = self.gets.answer().await?;
            if answer.status != 200 {
                return None;
            }
            let mut packets: Vec<String> = answer.body.split('\u{1e}').map(str::to_owned).collect();
            let all = packets.len();
            packets.retain(|packet| packet != "2");
            if packets.len() < all && self.post("3").await.status != 200 {
                return None;
            }
            if !packets.is_empty() {
                return Some(packets);
            }
        }
    }
}
