//! Names that look like something else.

use std::{collections::BTreeSet, time::Duration};

use roomwire_hostile::{Fixture, Settings, WebSocket, within};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

/// How long they go on.
const GOES_ON: Duration = Duration::from_secs(4);

/// Names that are names like any other.
fn good() -> Vec<String> {
    let mut good: Vec<String> = [
        "a}{b",
        "}{",
        "{a}",
        "}a{",
        "{",
        "}",
        "a:b",
        ":",
        "::",
        "a:members",
        "*",
        "?",
        "[ab]",
        "a*",
        "\\",
        "\\r\\n",
        "%0d%0a",
        "%00",
        "a b",
        " ",
        " a",
        "a ",
        "'",
        "\"",
        "'; DROP TABLE rooms; --",
        "../../etc/passwd",
        "/",
        "__proto__",
        "constructor",
        "null",
        "undefined",
        "0",
        "-1",
        "1e400",
        "$1",
        "$(id)",
        "`id`",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "&amp;",
        "\u{202e}gnp.exe",
        "\u{200f}\u{200e}",
        "\u{2066}a\u{2069}",
        "\u{feff}a",
        "a\u{200b}",
        "\u{200d}",
        "é",
        "e\u{301}",
        "ｆｕｌｌ",
        "Ａ",
        "İ",
        "ß",
        "SS",
        "crowd-0 ",
        "Crowd-0",
        "crowd-0\u{200b}",
        "\u{10ffff}",
        "\u{fffd}",
        "räume 🏠",
    ]
    .map(str::to_owned)
    .into();
    good.extend(["x".repeat(128), "ä".repeat(64), "🏠".repeat(32)]);
    good
}

/// Names that are none.
fn bad() -> Vec<String> {
    let mut bad: Vec<String> = [
        "",
        "a\r\nb",
        "\r",
        "\n",
        "\0",
        "nul\0",
        "\0crowd-0",
        "crowd-0\0",
        "\t",
        "\u{1b}[31mred",
        "\u{7f}",
        "\u{85}",
        "\u{9b}31m",
    ]
    .map(str::to_owned)
    .into();
    bad.extend(["x".repeat(129), "ä".repeat(65), "x".repeat(10_000), "x".repeat(900_000), "🏠".repeat(200_000)]);
    bad
}

/// Each name is a room of its own, with its one member, whatever it looks like; and the crowd's rooms have no more
/// members than before.
async fn names_are_names(row: &'static str, settings: Settings) {
    let fixture = Fixture::set(crate::SERVER, row, settings).await;
    let server = fixture.address();
    let (members, _connected) = fixture
        .attack(async move {
            // They read, and answer pings, as long as the test lasts.
            let (mut members, mut connected) = (Vec::new(), JoinSet::new());
            let attempts =
                good().into_iter().map(|name| (name, true)).chain(bad().into_iter().map(|name| (name, false)));
            let mut client = WebSocket::connect(server).await;
            for (nth, (name, is_good)) in (0..).zip(attempts) {
                // So many as one may join at once.
                if nth % 4 == 3 {
                    let mut joined = std::mem::replace(&mut client, WebSocket::connect(server).await);
                    connected.spawn(async move { drop(joined.rest().await) });
                }
                let shown: String = name.chars().take(20).collect();
                let answer = client.ask_for(nth, &json!(["join", name]).to_string()).await;
                if is_good {
                    assert_eq!(answer.as_deref(), Some("[null]"), "{shown:?}");
                    let mut client = WebSocket::connect(server).await;
                    let answer = client.ask_for(nth, &json!(["join", name]).to_string()).await;
                    assert_eq!(answer.as_deref(), Some("[null]"), "{shown:?}");
                    members.push((client.id.clone(), name));
                    connected.spawn(async move { drop(client.rest().await) });
                } else {
                    let answer = answer.unwrap_or_else(|| panic!("{shown:?} cost the connection"));
                    let code = &serde_json::from_str::<Value>(&answer).expect("JSON")[0]["error"]["code"];
                    assert!(["INVALID_NAME", "INVALID_PAYLOAD"].map(Value::from).contains(code), "{shown:?}: {answer}");
                    let say = json!(["say", { "room": name, "text": "" }]).to_string();
                    let answer = client.ask_for(1000, &say).await.expect("an answer");
                    assert!(answer.contains("INVALID_"), "{shown:?}: {answer}");
                }
            }
            connected.spawn(async move { drop(client.rest().await) });
            // The same again for a while, for the crowd to notice.
            let began = Instant::now();
            while began.elapsed() < GOES_ON {
                let mut client = WebSocket::connect(server).await;
                for (nth, name) in (0..).zip(bad()) {
                    client.send(&format!("42{nth}{}", json!(["join", name]))).await;
                }
                within("an answer", client.acknowledged(bad().len() as u32 - 1)).await.expect("an answer");
            }
            (members, connected)
        })
        .await;
    let expected: BTreeSet<String> = good().into_iter().chain((0..10).map(|room| format!("crowd-{room}"))).collect();
    let rooms: Vec<String> = fixture.server.ask("rooms", &()).await;
    assert_eq!(rooms.len(), expected.len());
    assert_eq!(rooms.into_iter().collect::<BTreeSet<_>>(), expected);
    for (client, name) in &members {
        let inside: Vec<String> = fixture.server.ask("members", name).await;
        assert!(inside.len() == 2 && inside.contains(client), "{name:?}: {inside:?}");
    }
    for room in 0..10 {
        let inside: Vec<String> = fixture.server.ask("members", &format!("crowd-{room}")).await;
        assert_eq!(inside.len(), 10, "crowd-{room}");
    }
    fixture.verdict().await;
}

#[tokio::test]
async fn names_that_look_like_something_else_are_kept_as_they_are_or_refused() {
    names_are_names("names", Settings::default()).await;
}

#[tokio::test]
async fn names_that_look_like_something_else_are_never_the_key_of_another_room_in_redis() {
    let redis = roomwire_test_servers::RedisServer::start().await;
    names_are_names("names in Redis", Settings::default().with("ROOMWIRE_STATE__URLS", redis.url())).await;
}
