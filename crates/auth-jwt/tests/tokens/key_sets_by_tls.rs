//! Keys are fetched by TLS from servers that the machine trusts, and from no others.

use std::{env, process::Stdio, sync::Arc};

use crate::support::{
    auth,
    issuer::{Issuer, key_set},
    key_server::ok,
};
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::config::{Algorithm, Auth};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};
use tokio_rustls::TlsAcceptor;

/// The variable that names the server for the process that is started to fetch from it.
const URL: &str = "ROOMWIRE_TEST_KEYS_URL";

/// Serves this by TLS; returns its address and, as PEM, its certificate.
async fn serve(body: String) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
    let pem = made.cert.pem();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).expect("fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("has an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust it closes the connection.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(ok(&body).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("https://localhost:{port}/keys.json"), pem)
}

fn keys_at(url: String) -> Auth {
    Auth { algorithms: vec![Algorithm::EdDsa], jwks: Some(url), ..auth() }
}

#[tokio::test]
async fn a_server_with_an_untrusted_certificate_gives_no_keys() {
    let (url, _) = serve(key_set(&[Issuer::new(Algorithm::EdDsa).jwk(None)])).await;
    let error = JwtAuthenticator::from_config(&keys_at(url.clone())).await.expect_err("refused").to_string();
    assert!(error.starts_with(&format!("auth.jwks: {url} cannot be reached: ")), "{error}");
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn a_server_that_the_machine_trusts_gives_its_keys() {
    let (url, certificate) = serve(key_set(&[Issuer::new(Algorithm::EdDsa).jwk(None)])).await;
    let folder = TempDir::new().expect("a folder");
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, certificate).expect("writes");
    let fetched = Command::new(env::current_exe().expect("has a path"))
        .args(["--ignored", "--exact", "key_sets_by_tls::fetches_from_the_server_of_the_test_that_started_it"])
        .env("SSL_CERT_FILE", &trusted)
        .env_remove("SSL_CERT_DIR")
        .env(URL, url)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("runs");
    let said = String::from_utf8_lossy(&fetched.stdout);
    assert!(fetched.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started by a_server_that_the_machine_trusts_gives_its_keys, with a machine's certificates of its own"]
async fn fetches_from_the_server_of_the_test_that_started_it() {
    let url = env::var(URL).expect("started by that test");
    JwtAuthenticator::from_config(&keys_at(url)).await.expect("trusts the server");
}
