//! The head of a request is bounded in number and bytes before anything is done with it.

use roomwire_service::Gateway;

use crate::support::{Fixture, Http, config};

fn lines(count: usize) -> String {
    (0..count).map(|number| format!("x-{number}: y\r\n")).collect()
}

#[tokio::test]
async fn more_headers_than_allowed_are_answered_with_431() {
    let mut config = config();
    config.limits.headers = 8;
    let fixture = Fixture::new(config, Gateway::new()).await;
    // The client sends two of its own.
    for (count, status) in [(6, 200), (7, 431)] {
        let mut http = Http::connect(fixture.address).await;
        http.send("GET", "/hello", &lines(count), "").await;
        assert_eq!(http.answer().await.expect("an answer").status, status, "{count}");
    }
}

#[tokio::test]
async fn a_head_at_the_limit_is_accepted_and_one_byte_more_is_answered_with_431() {
    let mut config = config();
    config.limits.header_bytes = 8192;
    let fixture = Fixture::new(config, Gateway::new()).await;
    let head = |bytes: usize| {
        let rest = "GET /hello HTTP/1.1\r\nx: \r\n\r\n".len();
        format!("GET /hello HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(bytes - rest))
    };
    for (bytes, status) in [(8192, 200), (8193, 431)] {
        let mut http = Http::connect(fixture.address).await;
        http.write(head(bytes).as_bytes()).await;
        assert_eq!(http.answer().await.expect("an answer").status, status, "{bytes}");
    }
    // One that never ends is not read to its end.
    let mut http = Http::connect(fixture.address).await;
    http.write(&head(1_000_000).as_bytes()[..900_000]).await;
    assert!(http.rest().await.starts_with("HTTP/1.1 431 "));
}
