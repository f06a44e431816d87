//! Whatever a client sends, others are served and the log stays quiet.

use roomwire_service::{Data, Error, Gateway, Payload, WebSocketService};

use crate::support::{Fixture, Http, Log, Polling, WebSocket, config, head};

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn pass_on(service: WebSocketService, payload: Payload) -> Result<(), Error> {
    service.broadcast("passed", payload).await
}

async fn fixture() -> Fixture {
    Fixture::new(config(), Gateway::new().on("echo", echo).on("pass-on", pass_on)).await
}

/// Messages that are answered, and the code of the answer.
fn answered() -> Vec<(String, &'static str)> {
    // As deep as one message may be.
    let deep = format!("{}{}", "[".repeat(490_000), "]".repeat(490_000));
    [
        (r#"["unknown"]"#, "UNKNOWN_EVENT"),
        (r#"[""]"#, "INVALID_NAME"),
        (r#"["echo"]"#, "INVALID_PAYLOAD"),
        (r#"["echo","one"]"#, "INVALID_PAYLOAD"),
        (r#"["echo",-1]"#, "INVALID_PAYLOAD"),
        (r#"["echo",{}]"#, "INVALID_PAYLOAD"),
    ]
    .map(|(event, code)| (event.to_owned(), code))
    .into_iter()
    .chain([(format!(r#"["{}"]"#, "x".repeat(65)), "INVALID_NAME"), (format!(r#"["echo",{deep}]"#), "INVALID_PAYLOAD")])
    .collect()
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_answered_and_not_logged_as_an_error() {
    let log = Log::capture();
    let fixture = fixture().await;
    let mut socket = WebSocket::connect(fixture.address).await;
    let mut polling = Polling::connect(fixture.address).await;
    for (event, code) in answered() {
        let shown = &event[..event.len().min(40)];
        let code = format!(r#""code":"{code}""#);
        let answer = socket.ask_for(1, &event).await;
        assert!(answer.contains(&code), "{shown}: {answer}");
        socket.send(&format!("42{event}")).await;
        let told = socket.message().await;
        assert!(told.starts_with(r#"42["error""#) && told.contains(&code), "{shown}: {told}");
        polling.post(&format!("421{event}")).await;
        let answer = polling.poll().await;
        assert!(answer[0].starts_with("431") && answer[0].contains(&code), "{shown}: {answer:?}");
    }
    assert_eq!(socket.ask_for(2, r#"["echo",7]"#).await, "[7]");
    assert_eq!(socket.ask_for(3, r#"["echo",7,null,"more"]"#).await, "[7]", "further arguments are ignored");
    assert_eq!(log.lines_with(&["ERROR"]) + log.lines_with(&["WARN"]), 0, "{}", log.text());
}

/// Messages that may cost the sender its connection.
fn harmful() -> Vec<Vec<u8>> {
    let text = |text: &str| crate::support::frame(text);
    let deep = "[".repeat(990_000);
    vec![
        text(""),
        text("4"),
        text("42"),
        text("42["),
        text("42[]"),
        text("42[null]"),
        text(r#"42["connect"]"#),
        text(r#"42["newListener"]"#),
        text(r#"42["echo",1]["echo"]"#),
        text("42{}"),
        text(r#"42"echo""#),
        text("42null"),
        text(&format!("42{deep}")),
        text(&format!("40{deep}")),
        text(&format!("43{deep}")),
        text(&format!("45{deep}")),
        text(&format!("451-{deep}")),
        text(&format!("42{}", r#"{"a":"#.repeat(190_000))),
        text("40nonsense"),
        text("40/nowhere,{}"),
        text("42/nowhere,[\"echo\",1]"),
        text("41/nowhere,"),
        text(r#"4299999999999999999999["echo",1]"#),
        text(r#"429223372036854775807["echo",1]"#),
        text("43[1]"),
        text("431[1]"),
        text("4399999999999999999999[1]"),
        text("44{}"),
        text("47[]"),
        text("45-[]"),
        text("45999999999999999999-[\"echo\"]"),
        text("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]"),
        text("450-[\"echo\",{\"_placeholder\":true,\"num\":0}]"),
        text("461-1[]"),
        text("0{}"),
        text("6"),
        text("5"),
        text("2probe"),
        text("é"),
        text("42é"),
        text("42/é,é"),
        [head(2, 3), vec![1, 2, 3]].concat(),
        [head(2, 0), vec![]].concat(),
        // Not UTF-8, a reserved opcode, an unmasked frame, a continuation of nothing.
        [head(1, 2), vec![0xff, 0xfe]].concat(),
        head(3, 0),
        vec![0x81, 0x01, b'2'],
        head(0, 0),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ]
}

#[tokio::test]
async fn garbage_affects_only_its_sender() {
    let log = Log::capture();
    let fixture = fixture().await;
    let mut healthy = WebSocket::connect(fixture.address).await;
    for (number, garbage) in (1..).zip(harmful()) {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.write(&garbage).await;
        socket.write(&garbage).await;
        assert_eq!(healthy.ask_for(number, &format!(r#"["echo",{number}]"#)).await, format!("[{number}]"));
        socket.reset();
        // Before it is connected to a namespace.
        let mut socket = WebSocket::open(fixture.address).await;
        socket.write(&garbage).await;
        socket.reset();
        if let Ok(text) = std::str::from_utf8(&garbage[6.min(garbage.len())..]) {
            let mut polling = Polling::connect(fixture.address).await;
            let answer = polling.post(text).await;
            assert!([200, 400].contains(&answer.status), "{text}: {answer:?}");
            polling.post("1").await;
        }
    }
    let id = healthy.id.clone();
    crate::support::eventually("only the healthy client is left", async || {
        fixture.service.local_client_count() == 1 && fixture.service.client(id.as_str()).await.is_ok()
    })
    .await;
    assert_eq!(log.lines_with(&["ERROR"]), 0, "{}", log.text());
}

#[tokio::test]
async fn garbage_as_requests_is_refused() {
    let fixture = fixture().await;
    let mut healthy = WebSocket::connect(fixture.address).await;
    for (number, request) in (1..).zip([
        &b"\r\n\r\n"[..],
        b"\0\0\0\0",
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-version: 12\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1",
        b"DELETE /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\n\r\n",
    ]) {
        let mut http = Http::connect(fixture.address).await;
        http.write(request).await;
        http.finish().await;
        if let Some(answer) = http.answer().await {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
        assert_eq!(healthy.ask_for(number, &format!(r#"["echo",{number}]"#)).await, format!("[{number}]"));
    }
}

#[tokio::test]
async fn payloads_that_are_forwarded_without_parsing_are_valid_for_their_receivers() {
    let fixture = fixture().await;
    let mut ada = WebSocket::connect(fixture.address).await;
    let mut bob = WebSocket::connect(fixture.address).await;
    fixture.holds(2).await;
    let deep = format!("{}{}", "[".repeat(32), "]".repeat(32));
    assert_eq!(ada.ask_for(1, &format!(r#"["pass-on",{deep}]"#)).await, "[null]");
    assert_eq!(bob.message().await, format!(r#"42["passed",{deep}]"#));
    let deeper = ada.ask_for(2, &format!(r#"["pass-on",[{deep}]]"#)).await;
    assert!(deeper.contains(r#""code":"INVALID_PAYLOAD""#), "{deeper}");
    // What is no JSON is refused, or is no protocol at all, as with the reference server. No client gets it.
    for bad in [r#"["pass-on",1"#, r#"["pass-on",x]"#, r#"["pass-on",1]["#, "[\"pass-on\",\"\n\"]"] {
        let mut socket = WebSocket::connect(fixture.address).await;
        socket.send(&format!("42{bad}")).await;
        if let Some(told) = socket.next().await {
            assert!(told.starts_with(r#"42["error",{"code":"INVALID_PAYLOAD""#), "{bad}: {told}");
        }
    }
    assert_eq!(ada.ask_for(3, r#"["pass-on","good"]"#).await, "[null]");
    assert_eq!(bob.message().await, r#"42["passed","good"]"#);
}
