//! Certificates are read again at once.

use std::time::Duration;

use roomwire_service::{Gateway, ReloadError, WebSocketConfig};

use super::change;
use crate::support::{
    Certificate, Fixture, config, eventually,
    tls::{connect, request},
};

async fn fixture(certificate: &Certificate) -> Fixture {
    let mut config = WebSocketConfig { ssl: true, tls: certificate.config(), ..config() };
    config.tls.reload = Duration::from_secs(86_400);
    Fixture::new(config, Gateway::new()).await
}

async fn is_trusted(fixture: &Fixture, pem: &str) -> bool {
    match connect(fixture.address, pem, rustls::ALL_VERSIONS).await {
        Ok(stream) => request(stream, "GET", "/hello", "").await.ends_with("hello"),
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_new_certificate_in_the_same_files_is_used_at_once() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    let first = certificate.pem();
    assert!(is_trusted(&fixture, &first).await);
    let second = certificate.renew();
    let reload = fixture.service.reload((*fixture.service.config()).clone()).await.expect("reloads");
    assert_eq!(reload.applied, Vec::<&str>::new(), "no key changed");
    assert!(is_trusted(&fixture, &second).await && !is_trusted(&fixture, &first).await);
}

#[tokio::test]
async fn other_files_are_used_and_watched_and_broken_ones_change_nothing() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let fixture = fixture(&first).await;
    let mut new = (*fixture.service.config()).clone();
    new.tls.cert = second.config().cert;
    let error = fixture.service.reload(new.clone()).await.expect_err("the key is of another certificate");
    assert!(matches!(error, ReloadError::Refused { key: "tls", .. }), "{error}");
    assert!(is_trusted(&fixture, &first.pem()).await);

    new.tls.key = second.config().key;
    let reload = fixture.service.reload(new).await.expect("reloads");
    assert_eq!(reload.applied, ["tls.cert", "tls.key"]);
    assert!(is_trusted(&fixture, &second.pem()).await);

    change(&fixture.service, "tls.reload", |config| config.tls.reload = Duration::from_secs(1)).await;
    let renewed = second.renew();
    eventually("the files are looked at every second now", async || is_trusted(&fixture, &renewed).await).await;
}
