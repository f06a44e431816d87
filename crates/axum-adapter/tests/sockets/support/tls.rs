//! Certificates, and clients that speak TLS.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{SinkExt, StreamExt};
use roomwire_core::config::Tls;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::within;

/// The files of a certificate for `localhost`.
#[derive(Debug)]
pub(crate) struct Certificate {
    directory: TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let certificate = Self { directory: TempDir::new().expect("a directory") };
        certificate.renew();
        certificate
    }

    /// Writes a new certificate and its key; returns the certificate.
    pub(crate) fn renew(&self) -> String {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
        let pem = made.cert.pem();
        self.write_key(&made.signing_key.serialize_pem());
        std::fs::write(self.cert(), &pem).expect("written");
        pem
    }

    pub(crate) fn write_key(&self, text: &str) {
        std::fs::write(self.directory.path().join("key.pem"), text).expect("written");
    }

    pub(crate) fn pem(&self) -> String {
        std::fs::read_to_string(self.cert()).expect("read")
    }

    fn cert(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// The configuration that names both.
    pub(crate) fn config(&self) -> Tls {
        let name = |path: &Path| Some(path.to_str().expect("text").to_owned());
        Tls { cert: name(&self.cert()), key: name(&self.directory.path().join("key.pem")), ..Tls::default() }
    }
}

/// A client that trusts this certificate, and speaks these versions.
pub(crate) async fn connect(
    address: SocketAddr,
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).expect("a certificate")).expect("trusted");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.expect("connects");
    let name = ServerName::try_from("localhost").expect("a name");
    within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// One request on a connection of its own; the answer with its head.
pub(crate) async fn request(mut stream: TlsStream<TcpStream>, method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    within("the answer", stream.read_to_string(&mut answer)).await.expect("an answer");
    answer
}

/// A client over an encrypted websocket, connected to the namespace `/`.
#[derive(Debug)]
pub(crate) struct Wss(WebSocketStream<TlsStream<TcpStream>>);

impl Wss {
    pub(crate) async fn connect(stream: TlsStream<TcpStream>) -> Self {
        let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
        let (socket, _) = within("the upgrade", client_async(url, stream)).await.expect("a websocket");
        let mut wss = Self(socket);
        assert!(wss.next().await.starts_with('0'));
        wss.send("40").await;
        assert!(wss.next().await.starts_with("40{"));
        wss
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sent");
    }

    /// The next message; pings are answered and left out.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            let message = within("a message", self.0.next()).await.expect("a message").expect("a message");
            match message.into_text().expect("text").as_str() {
                "2" => self.send("3").await,
                text => return text.to_owned(),
            }
        }
    }
}
