//! A page of a loopback address may connect to a server on the same machine: a dev server beside the service.

use roomwire_service::Gateway;

use super::{OPEN, UPGRADE};
use crate::support::{Answer, Fixture, Http, Log, config, defaults};

/// A request with this `Host` and these header lines: over HTTP, and for a websocket.
async fn ask(fixture: &Fixture, host: &str, lines: &str) -> [Answer; 2] {
    let socket = "/socket.io/?EIO=4&transport=websocket";
    let mut answers = Vec::new();
    for (target, upgrade) in [(OPEN, ""), (socket, UPGRADE)] {
        let mut http = Http::connect(fixture.address).await;
        http.write(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{lines}{upgrade}\r\n").as_bytes()).await;
        answers.push(http.answer().await.expect("an answer"));
    }
    answers.try_into().expect("two")
}

#[tokio::test]
async fn a_loopback_page_connects_to_a_loopback_server_whatever_the_ports_and_spellings() {
    let log = Log::capture();
    for fixture in
        [Fixture::new(defaults(), Gateway::new()).await, Fixture::foreign_with_peers(defaults(), Gateway::new()).await]
    {
        let port = fixture.address.port();
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            for page in
                ["http://localhost:5173", "http://127.0.0.1:5173", "http://[::1]:5173", "https://shop.localhost"]
            {
                let lines = format!("origin: {page}\r\n");
                let [polling, websocket] = ask(&fixture, &format!("{host}:{port}"), &lines).await;
                assert_eq!([polling.status, websocket.status], [200, 101], "{page} to {host}: {polling:?}");
            }
        }
        // vite with changeOrigin: the Host is that of the server, the Origin that of the page; and with xfwd.
        let proxied = "origin: http://localhost:5173\r\nx-forwarded-for: ::1\r\nx-forwarded-host: localhost:5173\r\n";
        let [polling, websocket] = ask(&fixture, &format!("127.0.0.1:{port}"), proxied).await;
        assert_eq!([polling.status, websocket.status], [200, 101], "{polling:?}");
        // And without: both are those of the page.
        let [polling, websocket] = ask(&fixture, "localhost:5173", "origin: http://localhost:5173\r\n").await;
        assert_eq!([polling.status, websocket.status], [200, 101], "{polling:?}");
    }
    assert_eq!(log.lines_with(&["WARN", "refused"]), 0, "{}", log.text());
}

#[tokio::test]
async fn a_loopback_page_is_refused_in_words_by_a_server_that_others_reach() {
    let log = Log::capture();
    let fixture = Fixture::new(config(), Gateway::new()).await;
    let page = "origin: http://localhost:5173\r\n";
    for (host, lines) in [
        // Visitors of a public server, through a proxy on its machine.
        ("chat.example.com", page.to_owned()),
        ("127.0.0.1:3000", format!("{page}x-forwarded-for: 203.0.113.7\r\n")),
        ("127.0.0.1:3000", format!("{page}x-real-ip: 203.0.113.7\r\n")),
    ] {
        for answer in ask(&fixture, host, &lines).await {
            assert_eq!(answer.status, 403, "{host} {lines}: {answer:?}");
            assert!(answer.body.contains(r#"allowedOrigins = [\"http://localhost:5173\"]"#), "{answer:?}");
        }
    }
    assert_eq!(log.lines_with(&["WARN", r#"cause="origin""#, "http://localhost:5173"]), 1, "{}", log.text());
}

#[tokio::test]
async fn a_loopback_page_is_refused_by_a_server_that_does_not_know_its_peers() {
    let log = Log::capture();
    let fixture = Fixture::foreign(defaults(), Gateway::new()).await;
    for answer in ask(&fixture, "localhost:3000", "origin: http://localhost:5173\r\n").await {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("into_make_service_with_connect_info"), "{answer:?}");
    }
    let told = log.lines_with(&["WARN", "does not tell the addresses", "into_make_service_with_connect_info"]);
    assert_eq!(told, 1, "{}", log.text());
}
