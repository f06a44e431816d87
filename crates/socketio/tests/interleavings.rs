//! Random interleavings of what a client may do, compared with a model of it: no event is lost, doubled or out of order,
//! and no session, client or permit is left over.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use parking_lot::Mutex;
use proptest::{collection::vec, prelude::*, test_runner::Config};
use roomwire_core::config::Transport;
use roomwire_service::{Client, Data, Dispatcher, Error, Gateway, State, WebSocketConfig, WebSocketService};
use roomwire_socketio::{PollResponse, Session, SessionRequest, Sessions};
use roomwire_state_memory::MemoryState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::timeout,
};

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    /// Sends CONNECT again before it is answered.
    ConnectTwice,
    /// Sends an event, which the server sends back.
    Say,
    /// As `Say`, with an attachment.
    SayBinary,
    /// As `Say`, and asks for an acknowledgement.
    Ask,
    Leave,
    /// Takes what waits.
    Receive,
    /// Asks for messages and breaks its connection.
    CutPoll,
    OpenWebsocket,
    Probe,
    Upgrade,
    CutWebsocket,
    Close,
    /// Lets the server go on.
    Yield,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Connect),
        1 => Just(Step::ConnectTwice),
        6 => Just(Step::Say),
        2 => Just(Step::SayBinary),
        3 => Just(Step::Ask),
        1 => Just(Step::Leave),
        6 => Just(Step::Receive),
        1 => Just(Step::CutPoll),
        3 => Just(Step::OpenWebsocket),
        3 => Just(Step::Probe),
        3 => Just(Step::Upgrade),
        1 => Just(Step::CutWebsocket),
        1 => Just(Step::Close),
        4 => Just(Step::Yield),
    ];
    vec(step, 0..30)
}

/// The numbers that handlers saw.
type Handled = Arc<Mutex<Vec<u32>>>;

async fn say(
    service: WebSocketService,
    client: Client,
    State(handled): State<Handled>,
    Data(number): Data<u32>,
) -> Result<(), Error> {
    handled.lock().push(number);
    service.send_to_client(&client, "said", &number).await
}

async fn say_binary(
    service: WebSocketService,
    client: Client,
    State(handled): State<Handled>,
    Data((number, data)): Data<(u32, roomwire_core::Binary)>,
) -> Result<(), Error> {
    handled.lock().push(number);
    service.send_to_client(&client, "said", &(number, data)).await
}

/// A websocket of the client, and the server's task for it.
struct WebSocket {
    stream: DuplexStream,
    task: JoinHandle<()>,
    read: Vec<u8>,
}

/// A client and what it knows.
struct Model {
    session: Session,
    websocket: Option<WebSocket>,
    has_probed: bool,
    is_upgraded: bool,
    is_connected: bool,
    /// It ended its session, or broke its connection.
    is_over: bool,
    /// It ended its session by a packet: what it sent before is handled.
    has_closed: bool,
    next: u32,
    sent: Vec<u32>,
    received: Vec<u32>,
    asked: Vec<u32>,
    acknowledged: Vec<u32>,
    unread: VecDeque<String>,
}

impl Model {
    /// Sends a packet over the transport that it uses.
    async fn send(&mut self, packets: &[&str]) {
        if self.is_upgraded {
            let stream = &mut self.websocket.as_mut().expect("upgraded").stream;
            for packet in packets {
                // An attachment is a binary frame.
                let (opcode, payload) = match packet.strip_prefix('b') {
                    Some(_) => (0x82, vec![1, 2, 3]),
                    None => (0x81, packet.as_bytes().to_vec()),
                };
                let head = [opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
                stream.write_all(&[&head[..], &payload].concat()).await.expect("the server reads");
            }
        } else {
            self.session.receive_body(packets.join("\u{1e}").into()).await.expect("a session");
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Connect | Step::ConnectTwice if !self.is_connected => {
                self.send(if step == Step::Connect { &["40"] } else { &["40", "40"] }).await;
                self.expect("40{").await;
                self.is_connected = true;
            }
            Step::Say if self.is_connected => {
                let number = self.number();
                self.send(&[&format!(r#"42["say",{number}]"#)]).await;
            }
            Step::SayBinary if self.is_connected => {
                let number = self.number();
                let text = format!(r#"451-["say-binary",[{number},{{"_placeholder":true,"num":0}}]]"#);
                self.send(&[&text, "bAQID"]).await;
            }
            Step::Ask if self.is_connected => {
                let number = self.number();
                self.asked.push(number);
                self.send(&[&format!(r#"42{number}["say",{number}]"#)]).await;
            }
            Step::Leave if self.is_connected => {
                // What was said is heard first: the model knows what to expect then.
                self.receive_all().await;
                self.send(&["41"]).await;
                self.is_connected = false;
            }
            Step::Receive => self.receive_some().await,
            Step::CutPoll if !self.is_upgraded => {
                self.receive_some().await;
                let polled = timeout(Duration::ZERO, self.session.poll()).await;
                // Messages that came in time are lost with the connection.
                drop(polled);
                self.is_over = true;
            }
            Step::OpenWebsocket if self.websocket.is_none() => {
                let (stream, server) = duplex(1 << 16);
                let task = tokio::spawn(self.session.clone().upgrade_to_websocket(server));
                self.websocket = Some(WebSocket { stream, task, read: Vec::new() });
            }
            Step::Probe if self.websocket.is_some() && !self.has_probed => {
                let websocket = self.websocket.as_mut().expect("is open");
                websocket.stream.write_all(b"\x81\x86\0\0\0\x002probe").await.expect("the server reads");
                let mut answer = [0; 8];
                websocket.stream.read_exact(&mut answer).await.expect("an answer");
                assert_eq!(&answer, b"\x81\x063probe");
                self.has_probed = true;
            }
            Step::Upgrade if self.has_probed && !self.is_upgraded => {
                let websocket = self.websocket.as_mut().expect("is open");
                websocket.stream.write_all(b"\x81\x81\0\0\0\x005").await.expect("the server reads");
                self.is_upgraded = true;
                while !self.session.is_websocket() {
                    tokio::task::yield_now().await;
                }
            }
            Step::CutWebsocket if self.websocket.is_some() => {
                self.websocket = None;
                self.is_over = self.is_upgraded;
                self.has_probed = false;
            }
            Step::Close => {
                self.send(&["1"]).await;
                (self.is_over, self.has_closed) = (true, true);
            }
            Step::Yield => tokio::task::yield_now().await,
            _ => {}
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.sent.push(self.next);
        self.next
    }

    /// Reads the packets that wait, if there are any.
    async fn receive_some(&mut self) {
        if self.is_upgraded {
            self.read_frames(Duration::from_millis(1)).await;
        } else {
            // A poll that waits is not dropped: that would end the session. The noop of a ping comes in time.
            let session = self.session.clone();
            let said = tokio::spawn(async move { session.poll().await });
            self.send_pongs_until(said).await;
        }
        self.read_packets();
    }

    /// Waits for the answer to a poll. If nothing waits, the server answers with its next ping.
    async fn send_pongs_until(&mut self, polled: JoinHandle<PollResponse>) {
        match polled.await.expect("no panic") {
            PollResponse::Messages(body, mut delivery) => {
                delivery.complete();
                let body = std::str::from_utf8(&body).expect("text").to_owned();
                for packet in body.split('\u{1e}') {
                    if packet == "2" {
                        self.session.receive_body("3".into()).await.expect("a session");
                    } else {
                        self.unread.push_back(packet.to_owned());
                    }
                }
            }
            PollResponse::Noop => {}
            other => panic!("{other:?}"),
        }
    }

    async fn read_frames(&mut self, patience: Duration) {
        let websocket = self.websocket.as_mut().expect("upgraded");
        let mut buffer = vec![0; 65_536];
        if let Ok(Ok(length)) = timeout(patience, websocket.stream.read(&mut buffer)).await {
            websocket.read.extend_from_slice(&buffer[..length]);
        }
        while let Some(payload) = payload_of(&websocket.read) {
            let packet = match websocket.read[0] {
                0x81 => String::from_utf8(websocket.read[payload.clone()].to_vec()).expect("text"),
                0x82 => "b".to_owned(),
                other => panic!("a frame of kind {other:#x}"),
            };
            websocket.read.drain(..payload.end);
            if packet.starts_with("0{") {
                // The open packet of a session that begins with a websocket.
            } else if packet == "2" {
                websocket.stream.write_all(b"\x81\x81\0\0\0\x003").await.expect("the server reads");
            } else {
                self.unread.push_back(packet);
            }
        }
    }

    fn read_packets(&mut self) {
        while let Some(packet) = self.unread.pop_front() {
            if let Some(arguments) = packet.strip_prefix(r#"42["said","#) {
                self.received.push(arguments.trim_end_matches(']').parse().expect("a number"));
            } else if let Some(arguments) = packet.strip_prefix(r#"451-["said",["#) {
                let number = arguments.split(',').next().expect("a number");
                self.received.push(number.parse().expect("a number"));
            } else if let Some(acknowledgement) = packet.strip_prefix("43") {
                let number = acknowledgement.strip_suffix("[null]").expect("an acknowledgement");
                self.acknowledged.push(number.parse().expect("a number"));
                assert_eq!(self.received.last(), self.acknowledged.last(), "it follows its event");
            } else if packet.starts_with("40{") {
                self.unread.push_front(packet);
                return;
            } else {
                assert!(packet.starts_with('b'), "{packet}");
            }
        }
    }

    async fn expect(&mut self, start: &str) {
        for _ in 0..1000 {
            if self.unread.front().is_some_and(|packet| packet.starts_with(start)) {
                break;
            }
            self.receive_some().await;
        }
        assert!(self.unread.front().is_some_and(|packet| packet.starts_with(start)), "{start} did not come");
        self.unread.pop_front();
        self.read_packets();
    }

    async fn receive_all(&mut self) {
        // Each look takes a millisecond or a ping's interval, so what did not come by then does not come.
        for _ in 0..1000 {
            if self.received.len() >= self.sent.len() && self.acknowledged.len() >= self.asked.len() {
                return;
            }
            self.receive_some().await;
        }
        panic!("lost: {:?} of {:?} arrived", self.received, self.sent);
    }
}

/// Where the payload of the first frame is, once it has come.
fn payload_of(bytes: &[u8]) -> Option<Range<usize>> {
    let payload = match *bytes {
        [_, 126, high, low, ..] => 4..4 + usize::from(u16::from_be_bytes([high, low])),
        [_, length, ..] if length < 126 => 2..2 + usize::from(length),
        _ => return None,
    };
    (payload.end <= bytes.len()).then_some(payload)
}

async fn run(transport: Transport, steps: Vec<Step>) {
    let handled = Handled::default();
    let mut config = WebSocketConfig::default();
    config.limits = config.limits.without_rates();
    // A poll waits for the next ping at most.
    config.ping_interval = Duration::from_secs(1);
    config.limits.handshake_timeout = Duration::from_secs(600);
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let gateway = Gateway::new().with_state(handled.clone()).on("say", say).on("say-binary", say_binary);
    let sessions = Sessions::new(Dispatcher::new(service.clone(), gateway).expect("valid"));
    let permit = Arc::new(());
    let session = sessions.open(SessionRequest::default(), transport, permit.clone());
    let id = session.id().to_owned();
    let is_websocket = transport == Transport::Websocket;
    let websocket = is_websocket.then(|| {
        let (stream, server) = duplex(1 << 16);
        WebSocket { stream, task: tokio::spawn(session.clone().serve_websocket(server)), read: Vec::new() }
    });
    let mut model = Model {
        session,
        websocket,
        has_probed: is_websocket,
        is_upgraded: is_websocket,
        is_connected: false,
        is_over: false,
        has_closed: false,
        next: 0,
        sent: Vec::new(),
        received: Vec::new(),
        asked: Vec::new(),
        acknowledged: Vec::new(),
        unread: VecDeque::new(),
    };
    for step in steps {
        model.step(step).await;
        if model.is_over {
            break;
        }
    }
    if !model.is_over {
        model.receive_all().await;
        assert_eq!(model.received, model.sent, "nothing is lost, doubled or out of order");
        model.send(&["1"]).await;
        model.has_closed = true;
    }
    assert!(model.sent.starts_with(&model.received), "{:?} of {:?}", model.received, model.sent);
    if let Some(WebSocket { stream, task, .. }) = model.websocket.take() {
        drop(stream);
        task.await.expect("no panic");
    }
    drop(model.session);
    let all_is_gone = async {
        while sessions.get(&id).is_some()
            || Arc::strong_count(&permit) > 1
            || service.local_client_count() > 0
            || service.client_count().await.expect("counts") > 0
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), all_is_gone).await.expect("nothing is left over");
    let handled = handled.lock().clone();
    assert!(model.sent.starts_with(&handled), "{handled:?} of {:?}", model.sent);
    assert!(handled.len() == model.sent.len() || !model.has_closed, "{handled:?} of {:?}", model.sent);
    assert!(model.asked.starts_with(&model.acknowledged), "{:?} of {:?}", model.acknowledged, model.asked);
    service.shutdown().await;
}

#[test]
fn a_client_gets_each_event_once_and_in_order_whatever_it_does() {
    let cases = if std::env::var_os("FULL_TESTS").is_some() { 100_000 } else { 10_000 };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let transports = prop_oneof![3 => Just(Transport::Polling), 1 => Just(Transport::Websocket)];
    proptest!(config, |(transport in transports, steps in steps())| runtime.block_on(run(transport, steps)));
}
