//! `rediss://`: commands and messages go over TLS, and only to a server that is trusted.

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::StreamExt;
use roomwire_core::{
    Backplane, BackplaneEvent, Channel, Incarnation, Namespace, NodeId, StateStore, config::RetryConfig,
};
use roomwire_state_redis::{ConnectError, RedisConfig, RedisState};
use roomwire_test_servers::{RedisServer, Settings, free_port};

/// A server with a certificate for `localhost`, and the certificate.
async fn server() -> (RedisServer, String, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
    let folder = tempfile::tempdir().expect("makes a folder");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, certified.cert.pem()).expect("writes");
    fs::write(&key, certified.signing_key.serialize_pem()).expect("writes");
    let port = free_port();
    let settings = Settings::default()
        .with("tls-port", port.to_string())
        .with("tls-cert-file", certificate.display().to_string())
        .with("tls-key-file", key.display().to_string())
        .with("tls-auth-clients", "no");
    let server = RedisServer::start_with(settings).await;
    (server, format!("rediss://localhost:{port}"), certified.cert.pem())
}

#[tokio::test]
async fn state_and_messages_go_over_tls() {
    let (_server, url, certificate) = server().await;
    let config = RedisConfig::new(url).ca_certificate(certificate);
    let node = async || RedisState::connect(&config).await.expect("connects");
    let (first, second) = (node().await, node().await);
    let incarnation = Incarnation::begin(NodeId::random());
    first.begin_lease(&incarnation, Duration::from_secs(10)).await.expect("begins");

    let mut incoming = second.open(&Incarnation::begin(NodeId::random()).process()).await.expect("opens");
    let channel = Channel::Namespace(Namespace::root());
    second.subscribe(&channel).await.expect("subscribes");
    first.publish(&channel, Bytes::from_static(b"hello")).await.expect("publishes");
    assert_eq!(incoming.next().await, Some(BackplaneEvent::Message(Bytes::from_static(b"hello"))));
}

#[tokio::test]
async fn a_server_with_an_untrusted_certificate_is_refused() {
    let (_server, url, _) = server().await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates").cert.pem();
    let retry = RetryConfig { attempts: 0, ..RetryConfig::default() };
    for config in [RedisConfig::new(&url), RedisConfig::new(&url).ca_certificate(other)] {
        let error = RedisState::connect(&config.retry(retry.clone())).await.expect_err("is not trusted");
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "says why: {error}");
    }
    let error = RedisState::connect(&RedisConfig::new(&url).ca_certificate("no PEM")).await;
    assert!(matches!(error, Err(ConnectError::Certificate(_))), "{error:?}");
}

#[tokio::test]
async fn tls_on_one_side_only_is_refused_at_once_in_words() {
    let (server, url, _) = server().await;
    let without_tls = url.replace("rediss://", "redis://");
    let with_tls = server.url().replace("redis://", "rediss://");
    for (url, advice) in [
        (without_tls, "uses TLS: write rediss://"),
        (with_tls, "does not use TLS: write redis:// instead of rediss://"),
    ] {
        let began = Instant::now();
        let error = RedisState::connect(&RedisConfig::new(url)).await.expect_err("is refused");
        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
        assert!(error.to_string().contains(advice), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "it is not tried again: {:?}", began.elapsed());
    }
}
