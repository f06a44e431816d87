//! Pages of other origins.

use std::{net::SocketAddr, time::Duration};

use roomwire_hostile::{Fixture, Http, Polling, Settings, WebSocket, connect_from, fresh};
use tokio::time::Instant;

/// How long the pages go on.
const GOES_ON: Duration = Duration::from_secs(4);
const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const LISTED: &str = "https://app.example.com";

/// How a page with these headers fares: the statuses of opening a session, of sending to one and of a websocket.
async fn statuses(server: SocketAddr, headers: &str) -> [u16; 3] {
    let opened = Http::connect(server).await.ask_with("GET", OPEN, headers, "").await;
    if opened.status == 200 {
        // A session that ends without having connected to a namespace keeps its place for a while.
        let open: serde_json::Value = serde_json::from_str(&opened.body[1..]).expect("an open packet");
        let target = format!("{OPEN}&sid={}", open["sid"].as_str().expect("a session"));
        for packet in ["40", "1"] {
            assert_eq!(Http::connect(server).await.ask_with("POST", &target, headers, packet).await.status, 200);
        }
    }
    let mut polling = Polling::open_from(fresh(), server).await.expect("a session of its own");
    let sent = Http::connect(server).await.ask_with("POST", &polling.target, headers, "40").await;
    if sent.status != 200 {
        assert_eq!(polling.post("40").await.status, 200);
    }
    assert_eq!(polling.post("1").await.status, 200);
    let stream = connect_from(fresh(), server).await.expect("connects");
    let upgraded = match WebSocket::ask(stream, "", headers).await {
        Ok(_) => 101,
        Err(answer) => answer.map_or(0, |answer| answer.status),
    };
    for answer in [&opened, &sent] {
        let is_told = answer.body.contains(r#""code":"FORBIDDEN""#);
        assert_eq!(is_told, answer.status == 403, "{answer:?}");
    }
    [opened.status, sent.status, upgraded]
}

#[tokio::test]
async fn the_table_of_origins_holds_under_load_and_affects_no_client() {
    let settings = Settings::default().with("ROOMWIRE_ALLOWED_ORIGINS", LISTED);
    let fixture = Fixture::set(crate::SERVER, "origins", settings).await;
    let server = fixture.address();
    let own = format!("http://{server}");
    let [is_in, is_out] = [[200, 200, 101], [403, 403, 403]];
    let table: Vec<(Vec<String>, [u16; 3])> = [
        (vec![], is_in),
        (vec![own.as_str()], is_in),
        (vec![LISTED], is_in),
        (vec!["null"], is_out),
        (vec!["https://evil.example"], is_out),
        (vec!["http://app.example.com"], is_out),
        (vec!["https://app.example.com:8443"], is_out),
        (vec!["https://app.example.com.evil.example"], is_out),
        (vec!["https://evil.example/https://app.example.com"], is_out),
        (vec!["https://APP.example.com"], is_out),
        (vec![""], is_out),
        (vec!["*"], is_out),
        (vec!["nonsense"], is_out),
        (vec![LISTED, "https://evil.example"], is_out),
        (vec!["null", LISTED], is_out),
    ]
    .map(|(origins, expected)| (origins.into_iter().map(str::to_owned).collect(), expected))
    .into();
    let rounds = fixture
        .attack(async move {
            let (began, mut rounds) = (Instant::now(), 0);
            while began.elapsed() < GOES_ON {
                for (origins, expected) in &table {
                    let headers: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
                    assert_eq!(statuses(server, &headers).await, *expected, "{origins:?}");
                }
                rounds += 1;
            }
            rounds
        })
        .await;
    println!("origins: {rounds} times the whole table");
    fixture.verdict().await;
}
