//! A small web server that gives out a key set.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Serves one answer, which can be changed, and counts how often it was asked for.
pub(crate) struct KeyServer {
    pub(crate) url: String,
    answer: Arc<Mutex<String>>,
    asked: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

impl KeyServer {
    /// A server that gives out this key set.
    pub(crate) async fn start(key_set: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/keys.json", listener.local_addr().expect("has an address"));
        let answer = Arc::new(Mutex::new(ok(key_set)));
        let (count, asked) = watch::channel(0);
        let shared = Arc::clone(&answer);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = shared.lock().expect("not poisoned").clone();
                tokio::spawn(answer_with(stream, answer));
                count.send_modify(|count| *count += 1);
            }
        });
        Self { url, answer, asked, accepting }
    }

    /// Gives out this key set from now on.
    pub(crate) fn serve(&self, key_set: &str) {
        self.answer_with(&ok(key_set));
    }

    /// Answers this from now on.
    pub(crate) fn answer_with(&self, response: &str) {
        *self.answer.lock().expect("not poisoned") = response.to_owned();
    }

    /// Stops listening.
    pub(crate) async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn until_asked(&mut self, count: usize) {
        self.asked.wait_for(|asked| *asked >= count).await.expect("the server is there");
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads the request to the end of its head, which is all there is of it. An empty answer is a server that hangs.
async fn answer_with(mut stream: TcpStream, answer: String) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    // A client that is satisfied before the end of a long answer closes the connection.
    let _ = stream.write_all(answer.as_bytes()).await;
}
