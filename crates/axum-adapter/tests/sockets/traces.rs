//! The spans of a client lead back to the request that opened its connection.

use std::sync::{Arc, Mutex};

use roomwire_service::{Error, Gateway, TraceContext, WebSocketService};
use roomwire_state_memory::MemoryState;
use tracing::Span;

use crate::support::{Fixture, Log, WebSocket, config};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone, Debug, Default)]
struct Parents(Arc<Mutex<Vec<String>>>);

impl TraceContext for Parents {
    fn current(&self) -> Option<String> {
        None
    }

    fn set_parent(&self, _: &Span, context: &str) {
        self.0.lock().expect("no panic").push(context.to_owned());
    }
}

async fn touch() -> Result<(), Error> {
    tracing::info!(target: "roomwire", "in the handler");
    Ok(())
}

#[tokio::test]
async fn a_handler_runs_in_the_spans_of_its_event_and_of_its_connection() {
    let (log, parents) = (Log::capture(), Parents::default());
    let builder = WebSocketService::builder(config()).state(MemoryState::new()).trace_context(parents.clone());
    let gateway = Gateway::new().on("touch", touch).on_connect(touch);
    let fixture = Fixture::of(builder.build().await.expect("builds"), gateway).await;
    let lines = format!("traceparent: {PARENT}\r\n");
    let mut socket = WebSocket::ask_with(fixture.address, &lines).await.expect("a websocket");
    assert!(socket.message().await.starts_with('0'));
    socket.send("40").await;
    assert!(socket.message().await.starts_with("40{"));
    assert_eq!(socket.ask_for(1, r#"["touch"]"#).await, "[null]");
    assert_eq!(*parents.0.lock().expect("no panic"), [PARENT]);
    for event in ["connect", "touch"] {
        let spans = format!("connection:event{{event=\"{event}\"");
        assert_eq!(log.lines_with(&["in the handler", &spans]), 1, "{}", log.text());
    }
}
