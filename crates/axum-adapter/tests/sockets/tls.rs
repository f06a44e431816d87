//! `ssl = true`: the same service over https and wss, with a certificate that can be renewed.

use std::time::{Duration, Instant};

use roomwire_service::{Data, Error, Gateway, WebSocketConfig};
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    Certificate, Fixture, Http, Log, Wss, config, eventually,
    tls::{connect, request},
    within,
};

/// The shortest there is.
const RELOAD: Duration = Duration::from_secs(1);

async fn echo(Data(text): Data<String>) -> Result<String, Error> {
    Ok(text)
}

async fn fixture(certificate: &Certificate) -> Fixture {
    let mut config = WebSocketConfig { ssl: true, tls: certificate.config(), ..config() };
    config.tls.reload = RELOAD;
    config.limits.handshake_timeout = Duration::from_millis(500);
    Fixture::new(config, Gateway::new().on("echo", echo)).await
}

#[tokio::test]
async fn https_and_wss_work_with_tls_12_and_13() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    for version in [&TLS12, &TLS13] {
        let open = async || connect(fixture.address, &certificate.pem(), &[version]).await.expect("encrypted");
        let stream = open().await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(request(stream, "GET", "/hello", "").await.ends_with("\r\n\r\nhello"));

        let target = "/socket.io/?EIO=4&transport=polling";
        let answer = request(open().await, "GET", target, "").await;
        let (_, packet) = answer.split_once("\r\n\r\n0").expect("an open packet");
        let opened: serde_json::Value = serde_json::from_str(packet).expect("an open packet");
        let session = format!("{target}&sid={}", opened["sid"].as_str().expect("a session"));
        assert!(request(open().await, "POST", &session, "40").await.ends_with("\r\n\r\nok"));
        let polled = request(open().await, "GET", &session, "").await;
        assert!(polled.starts_with("HTTP/1.1 200 ") && polled.contains("40{"), "{polled}");

        let mut wss = Wss::connect(open().await).await;
        wss.send(r#"421["echo","x"]"#).await;
        assert_eq!(wss.next().await, r#"431["x"]"#);
    }
    fixture.stop().await;
}

/// No client library here speaks TLS 1.1 any more: its first message is written by hand.
#[tokio::test]
async fn tls_11_is_refused_with_an_alert() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    for (minor, understood) in [(2, false), (3, true)] {
        // Version, random, no session, one cipher (ECDHE-ECDSA-AES128-GCM, as of TLS 1.2), no compression; groups,
        // points, signatures.
        let extensions =
            [&[0x00, 0x0a, 0, 4, 0, 2, 0, 23][..], &[0x00, 0x0b, 0, 2, 1, 0], &[0x00, 0x0d, 0, 4, 0, 2, 4, 3]].concat();
        let hello = [
            &[3, minor][..],
            &[7; 32],
            &[0, 0, 2, 0xc0, 0x2b, 1, 0],
            &(extensions.len() as u16).to_be_bytes(),
            &extensions,
        ]
        .concat();
        let length = hello.len() as u8;
        let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        let mut stream = TcpStream::connect(fixture.address).await.expect("connects");
        stream.write_all(&record).await.expect("written");
        let mut answer = [0; 7];
        within("an answer", stream.read_exact(&mut answer)).await.expect("an answer");
        // A handshake message, or the alert `protocol_version`.
        assert_eq!(answer[0], if understood { 22 } else { 21 });
        assert!(understood || answer[6] == 70, "{answer:?}");
    }
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_closed_without_an_answer_in_http() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    let mut stream = TcpStream::connect(fixture.address).await.expect("connects");
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    let _ = within("the end", stream.read_to_end(&mut answer)).await;
    assert!(answer.len() <= 7, "at most an alert: {answer:?}");
}

#[tokio::test]
async fn a_stalled_tls_handshake_is_closed_and_delays_no_other_client() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    let began = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Http::connect(fixture.address).await);
    }
    let stream = connect(fixture.address, &certificate.pem(), &[&TLS13]).await.expect("encrypted");
    assert!(request(stream, "GET", "/hello", "").await.ends_with("hello"));
    for connection in &mut silent {
        assert_eq!(connection.rest().await, "");
    }
    let elapsed = began.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(10)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_new_connections_and_old_ones_live_on() {
    let certificate = Certificate::new();
    let fixture = fixture(&certificate).await;
    let old = certificate.pem();
    let mut wss = Wss::connect(connect(fixture.address, &old, &[&TLS13]).await.expect("encrypted")).await;

    let new = certificate.renew();
    eventually("the new one is shown", async || connect(fixture.address, &new, &[&TLS13]).await.is_ok()).await;
    assert!(connect(fixture.address, &old, &[&TLS13]).await.is_err(), "the old one is shown no more");
    wss.send(r#"421["echo","still here"]"#).await;
    assert_eq!(wss.next().await, r#"431["still here"]"#);

    let log = Log::capture();
    certificate.write_key("-----BEGIN PRIVATE KEY-----\nbroken\n");
    let told = ["the certificate stays as it is", "tls.key", "key.pem"];
    eventually("the broken file is told", async || log.lines_with(&told) > 0).await;
    // Over the next looks.
    let told_at = Instant::now();
    while told_at.elapsed() < RELOAD * 5 / 2 {
        connect(fixture.address, &new, &[&TLS13]).await.expect("the last good one is shown");
        tokio::time::sleep(RELOAD / 10).await;
    }
    assert_eq!(log.lines_with(&told), 1, "told once");

    let newer = certificate.renew();
    eventually("the next good one is shown", async || connect(fixture.address, &newer, &[&TLS13]).await.is_ok()).await;
}

#[tokio::test]
async fn a_certificate_without_ssl_is_warned_of() {
    let log = Log::capture();
    let certificate = Certificate::new();
    let config = WebSocketConfig { tls: certificate.config(), ..config() };
    let fixture = Fixture::new(config, Gateway::new()).await;
    assert_eq!(log.lines_with(&["WARN", r#"key="ssl""#, "connections are not encrypted"]), 1, "{}", log.text());
    fixture.stop().await;
}
