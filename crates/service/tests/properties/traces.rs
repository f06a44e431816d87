//! The context of a trace goes with messages to other nodes, and costs nothing without a port for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::HeaderMap;
use parking_lot::Mutex;
use roomwire_service::{Gateway, TraceContext, WebSocketService, testing::TestServer};
use roomwire_state_memory::MemoryHub;
use tracing::Span;
use tracing_subscriber::EnvFilter;

use crate::fixture::config;

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Says that each span has this context, and records the contexts that come in, with the spans that they are for.
#[derive(Clone, Debug, Default)]
struct Recorder {
    says: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl TraceContext for Recorder {
    fn current(&self) -> Option<String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.says.lock().clone()
    }

    fn set_parent(&self, span: &Span, context: &str) {
        self.heard.lock().push((span.metadata().expect("is enabled").name(), context.to_owned()));
    }
}

async fn node(hub: &MemoryHub, recorder: Option<&Recorder>) -> TestServer {
    let mut builder = WebSocketService::builder(config()).state(hub.node());
    if let Some(recorder) = recorder {
        builder = builder.trace_context(recorder.clone());
    }
    TestServer::new(builder.build().await.expect("builds"), Gateway::new()).expect("mounts")
}

fn spans() -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("roomwire=debug"));
    tracing::subscriber::set_default(subscriber.with_writer(std::io::sink).finish())
}

#[tokio::test]
async fn valid_contexts_arrive_and_others_do_not() {
    let _spans = spans();
    let (hub, sender, receiver) = (MemoryHub::new(), Recorder::default(), Recorder::default());
    let (here, there) = (node(&hub, Some(&sender)).await, node(&hub, Some(&receiver)).await);
    let mut client = there.connect().await.expect("connects");
    there.service().join_room(client.handle(), "r").await.expect("joins");
    let send = async |says: Option<&str>, client: &mut roomwire_service::testing::TestClient| {
        *sender.says.lock() = says.map(ToOwned::to_owned);
        here.service().broadcast_to_room("r", "n", &1).await.expect("sends");
        here.service().broadcast("n", &2).await.expect("sends");
        here.service().send_to_client(client.id(), "n", &3).await.expect("sends");
        for number in 1..=3 {
            assert_eq!(client.expect::<i32>("n").await, number);
        }
        std::mem::take(&mut *receiver.heard.lock())
    };
    assert_eq!(send(Some(VALID), &mut client).await, vec![("deliver", VALID.to_owned()); 3]);
    for invalid in [None, Some(""), Some("junk"), Some(&*"0".repeat(100_000))] {
        assert_eq!(send(invalid, &mut client).await, [], "{invalid:?}");
    }
}

#[tokio::test]
async fn the_context_is_computed_for_messages_to_other_nodes_alone() {
    let _spans = spans();
    let (hub, recorder) = (MemoryHub::new(), Recorder::default());
    let here = node(&hub, Some(&recorder)).await;
    let mut client = here.connect().await.expect("connects");
    here.service().join_room(client.handle(), "r").await.expect("joins");
    recorder.asked.store(0, Ordering::SeqCst);
    for number in 0..10 {
        here.service().broadcast_to_room("r", "n", &number).await.expect("sends");
        assert_eq!(client.expect::<i32>("n").await, number);
    }
    assert_eq!(recorder.asked.load(Ordering::SeqCst), 0, "no other node is there");

    let there = node(&hub, None).await;
    let _follower = there.service().follow(super::following::room("r")).await.expect("follows");
    here.service().broadcast_to_room("r", "n", &1).await.expect("sends");
    assert_eq!(recorder.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_node_without_a_port_delivers_messages_with_a_context() {
    let _spans = spans();
    let (hub, recorder) = (MemoryHub::new(), Recorder::default());
    let (here, there) = (node(&hub, Some(&recorder)).await, node(&hub, None).await);
    *recorder.says.lock() = Some(VALID.to_owned());
    let mut client = there.connect().await.expect("connects");
    here.service().broadcast("n", &1).await.expect("sends");
    assert_eq!(client.expect::<i32>("n").await, 1);
}

#[tokio::test]
async fn a_connection_has_the_parent_that_its_handshake_names_if_it_is_valid_and_a_span_is_wanted() {
    let recorder = Recorder::default();
    let server = node(&MemoryHub::new(), Some(&recorder)).await;
    let connect = |parent: &str| {
        let parent = parent.parse().expect("a header");
        drop(
            server.service().connection_span(&HeaderMap::from_iter([("traceparent".parse().expect("a name"), parent)])),
        );
        std::mem::take(&mut *recorder.heard.lock())
    };
    assert_eq!(connect(VALID), [], "no subscriber wants the span");
    let _spans = spans();
    assert_eq!(connect(VALID), [("connection", VALID.to_owned())]);
    for invalid in ["", "junk", &VALID[1..]] {
        assert_eq!(connect(invalid), []);
    }
}
