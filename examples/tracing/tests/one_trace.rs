//! A message's delivery on another node is in the trace of the event that caused it.

use std::{error::Error, time::Duration};

use example_tracing::{OpenTelemetry, gateway, layer};
use http::HeaderMap;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{InMemorySpanExporter, InMemorySpanExporterBuilder, SdkTracerProvider, SpanData};
use roomwire_service::{WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_memory::MemoryHub;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

/// The span of the page that opens the connection.
const PAGE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn node(hub: &MemoryHub) -> Result<TestServer, Box<dyn Error>> {
    let builder = WebSocketService::builder(WebSocketConfig::default()).state(hub.node());
    let service = builder.trace_context(OpenTelemetry::default()).build().await?;
    Ok(TestServer::new(service, gateway())?)
}

/// The finished spans of this name, once there are so many.
async fn finished(exporter: &InMemorySpanExporter, name: &str, count: usize) -> Vec<SpanData> {
    let look = async {
        loop {
            let mut spans = exporter.get_finished_spans().expect("is open");
            spans.retain(|span| span.name == name);
            if spans.len() >= count {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("spans end")
}

#[tokio::test]
async fn the_delivery_on_another_node_is_in_the_trace_of_the_event() -> Result<(), Box<dyn Error>> {
    let exporter = InMemorySpanExporterBuilder::new().build();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer(&provider)));
    let hub = MemoryHub::new();
    let (first, second) = (node(&hub).await?, node(&hub).await?);

    let headers = HeaderMap::from_iter([("traceparent".parse()?, PAGE.parse()?)]);
    let connection = first.service().connection_span(&headers);
    let ada = first.connect().instrument(connection).await?;
    let mut bob = second.connect().await?;
    while second.service().member_count("lobby").await? < 2 || !bob.handle().is_in(&"lobby".parse()?) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ada.emit_with_ack::<()>("say", &"hello").await?;
    assert_eq!(bob.expect::<String>("said").await, "hello");
    drop(ada);

    let [deliver] = &finished(&exporter, "deliver", 1).await[..] else { panic!("one delivery") };
    let [broadcast] = &finished(&exporter, "broadcast", 1).await[..] else { panic!("one broadcast") };
    let events = finished(&exporter, "event", 2).await;
    let say = events.iter().find(|span| format!("{:?}", span.attributes).contains("say")).expect("an event");
    let [connection] = &finished(&exporter, "connection", 1).await[..] else { panic!("one connection") };
    let chain = [deliver, broadcast, say, connection];
    for pair in chain.windows(2) {
        let [child, parent] = pair else { panic!("two spans") };
        assert_eq!(child.parent_span_id, parent.span_context.span_id(), "{} in {}", child.name, parent.name);
    }
    assert_eq!(connection.parent_span_id, SpanId::from_hex("b7ad6b7169203331")?);
    assert!(connection.parent_span_is_remote && deliver.parent_span_is_remote && !broadcast.parent_span_is_remote);
    let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c")?;
    assert!(chain.iter().all(|span| span.span_context.trace_id() == trace), "{chain:?}");
    Ok(())
}

#[tokio::test]
async fn without_a_layer_nothing_is_traced_and_everything_works() -> Result<(), Box<dyn Error>> {
    let hub = MemoryHub::new();
    let (first, second) = (node(&hub).await?, node(&hub).await?);
    let mut bob = second.connect().await?;
    while !bob.handle().is_in(&"lobby".parse()?) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let headers = HeaderMap::from_iter([("traceparent".parse()?, PAGE.parse()?)]);
    assert!(first.service().connection_span(&headers).is_disabled());
    first.service().broadcast_to_room("lobby", "said", "hello").await?;
    assert_eq!(bob.expect::<String>("said").await, "hello");
    Ok(())
}
