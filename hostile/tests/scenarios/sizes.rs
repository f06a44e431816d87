//! Too much of it.

use std::{net::SocketAddr, time::Duration};

use roomwire_hostile::{Fixture, Http, Memory, Polling, Settings, WebSocket, continuation, head, within};
use tokio::time::Instant;

/// What one event may bring unless configured otherwise.
const PAYLOAD: usize = 1_000_000;
/// By how much the server's memory may grow.
const GROWTH: u64 = 5_000_000;
/// How long it goes on, again and again, for the crowd to notice.
const GOES_ON: Duration = Duration::from_millis(1500);
const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;
const TOO_LARGE: &str = r#""code":"PAYLOAD_TOO_LARGE""#;

#[derive(Clone, Copy, Debug)]
enum Excess {
    Websocket,
    Post,
    Attachment,
    AttachmentByPost,
    FrameHead,
    BinaryFrameHead,
    EndlessFrame,
    Fragments,
    Attachments,
    AttachmentsByPost,
    DeclaredBody,
    EndlessBody,
    EndlessHead,
    ManyHeaders,
}

const ALL: [Excess; 14] = [
    Excess::Websocket,
    Excess::Post,
    Excess::Attachment,
    Excess::AttachmentByPost,
    Excess::FrameHead,
    Excess::BinaryFrameHead,
    Excess::EndlessFrame,
    Excess::Fragments,
    Excess::Attachments,
    Excess::AttachmentsByPost,
    Excess::DeclaredBody,
    Excess::EndlessBody,
    Excess::EndlessHead,
    Excess::ManyHeaders,
];

/// An event whose argument takes so many bytes.
fn event(bytes: usize) -> String {
    format!(r#"["size","{}"]"#, "x".repeat(bytes - 2))
}

/// A refusal with the code, or the end of the connection.
fn is_refused(answer: Option<&str>) -> bool {
    answer.is_none_or(|answer| answer.contains(TOO_LARGE))
}

async fn ended(what: Excess, mut client: WebSocket) {
    within(&format!("{what:?}: the server closes the connection"), client.closed_by_server()).await;
}

impl Excess {
    /// Sends it, and what is just not too much where that has an answer.
    async fn attack(self, server: SocketAddr) {
        match self {
            Self::Websocket => {
                let mut client = WebSocket::connect(server).await;
                assert_eq!(client.ask_for(1, &event(PAYLOAD)).await.as_deref(), Some("[1000000]"));
                let answer = client.ask_for(2, &event(PAYLOAD + 1)).await;
                assert!(is_refused(answer.as_deref()), "{answer:?}");
            }
            Self::Post => {
                let mut client = Polling::connect(server).await;
                assert_eq!(client.post(&format!("421{}", event(PAYLOAD))).await.status, 200);
                assert_eq!(client.poll().await.expect("an answer"), ["431[1000000]"]);
                if client.post(&format!("422{}", event(PAYLOAD + 1))).await.status == 200 {
                    let answer = client.poll().await;
                    assert!(answer.is_none_or(|answer| answer[0].contains(TOO_LARGE)));
                }
                client.post("1").await;
                let mut client = Polling::connect(server).await;
                assert_eq!(client.post(&format!("423{}", event(PAYLOAD * 2))).await.status, 413);
            }
            Self::Attachment => {
                let mut client = WebSocket::connect(server).await;
                for (nth, more, accepted) in [(1, 0, true), (2, 1, false)] {
                    client.send(&format!(r#"451-{nth}["size",{PLACEHOLDER}]"#)).await;
                    client.send_binary(&vec![7; PAYLOAD - PLACEHOLDER.len() + more]).await;
                    let answer = within("an answer", client.acknowledged(nth)).await;
                    assert_eq!(answer.as_deref() == Some("[1000000]"), accepted, "{answer:?}");
                    assert_eq!(is_refused(answer.as_deref()), !accepted, "{answer:?}");
                }
            }
            Self::AttachmentByPost => {
                let mut client = Polling::connect(server).await;
                let body = format!("451-1[\"size\",{PLACEHOLDER}]\u{1e}b{}", "BwcH".repeat(PAYLOAD / 3));
                let answer = client.post(&body).await;
                let answer = if answer.status == 200 { client.poll().await } else { None };
                assert!(answer.is_none_or(|answer| answer[0].contains(TOO_LARGE)));
                client.post("1").await;
            }
            Self::FrameHead | Self::BinaryFrameHead => {
                let mut client = WebSocket::connect(server).await;
                client.write(&head(if matches!(self, Self::FrameHead) { 1 } else { 2 }, 64 << 20)).await;
                ended(self, client).await;
            }
            Self::EndlessFrame => {
                let mut client = WebSocket::connect(server).await;
                let _ = client.try_write(&head(1, 64 << 20)).await;
                for _ in 0..64 {
                    if !client.try_write(&vec![b'4'; 1 << 20]).await {
                        break;
                    }
                }
                ended(self, client).await;
            }
            Self::Fragments => {
                let mut client = WebSocket::connect(server).await;
                let _ = client.try_write(&continuation(true, b"4")).await;
                let many = continuation(false, b"2").repeat(10_000);
                for _ in 0..110 {
                    if !client.try_write(&many).await {
                        break;
                    }
                }
                ended(self, client).await;
            }
            Self::Attachments => {
                let mut client = WebSocket::connect(server).await;
                client.send(&format!(r#"4510001-1["size",{PLACEHOLDER}]"#)).await;
                for _ in 0..10_001 {
                    if !client.try_write(&[head(2, 1), vec![1]].concat()).await {
                        break;
                    }
                }
                ended(self, client).await;
            }
            Self::AttachmentsByPost => {
                let mut client = Polling::connect(server).await;
                let body = format!("4510001-1[\"size\",{PLACEHOLDER}]{}", "\u{1e}bBwcH".repeat(10_001));
                client.post(&body).await;
                // The session is over, or nothing was handled.
                let after = client.post(r#"422["size",1]"#).await;
                assert_ne!(after.status, 200, "{after:?}");
            }
            Self::DeclaredBody => {
                let mut client = Polling::connect(server).await;
                let head =
                    format!("POST {} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", client.target, 64 << 20);
                client.posts.write(head.as_bytes()).await;
                endless(client.posts, &vec![b'4'; 1 << 20]).await;
            }
            Self::EndlessBody => {
                let mut client = Polling::connect(server).await;
                let head = format!("POST {} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", client.target);
                client.posts.write(head.as_bytes()).await;
                endless(client.posts, &[b"10000\r\n", &vec![b'4'; 65_536][..], b"\r\n"].concat()).await;
            }
            Self::EndlessHead => {
                let mut http = Http::connect(server).await;
                http.write(b"GET / HTTP/1.1\r\nx: ").await;
                endless(http, &vec![b'x'; 65_536]).await;
            }
            Self::ManyHeaders => {
                let mut http = Http::connect(server).await;
                http.write(b"GET / HTTP/1.1\r\n").await;
                endless(http, &b"x: y\r\n".repeat(1000)).await;
            }
        }
    }
}

/// Sends the same again and again until it is refused with a status of its own, or by the end of the connection.
async fn endless(mut http: Http, piece: &[u8]) {
    for _ in 0..1000 {
        if !http.try_write(piece).await {
            break;
        }
    }
    // What was answered may have been lost with the connection.
    if let Some(answer) = http.answer().await {
        assert!([400, 413, 414, 431].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn too_much_of_it_is_refused_and_the_memory_hardly_grows() {
    let fixture = Fixture::set(crate::SERVER, "sizes", Settings::default()).await;
    let server = fixture.address();
    for excess in ALL {
        let memory = Memory::watch(fixture.server.pid());
        fixture
            .attack(async move {
                let began = Instant::now();
                while began.elapsed() < GOES_ON {
                    excess.attack(server).await;
                }
            })
            .await;
        let growth = memory.growth();
        println!("sizes: {excess:?}: memory grew by {} kB", growth / 1000);
        assert!(growth <= GROWTH, "{excess:?}: memory grew by {growth} bytes");
    }
    fixture.settles().await;
    fixture.verdict().await;
}
