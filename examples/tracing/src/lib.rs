//! Distributed traces with OpenTelemetry: a span of Roomwire for each connection, event, broadcast and delivery, on every
//! node, in one trace.

use std::collections::HashMap;

use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use roomwire_service::{Client, Data, Error, Gateway, TraceContext, WebSocketService};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Carries the context of OpenTelemetry in messages between nodes, and reads it from handshakes.
#[derive(Debug, Default)]
pub struct OpenTelemetry(TraceContextPropagator);

const TRACEPARENT: &str = "traceparent";

impl TraceContext for OpenTelemetry {
    fn current(&self) -> Option<String> {
        let mut carrier = HashMap::new();
        self.0.inject_context(&Span::current().context(), &mut carrier);
        carrier.remove(TRACEPARENT)
    }

    fn set_parent(&self, span: &Span, context: &str) {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), context.to_owned())]);
        // Fails if no layer of OpenTelemetry is installed: then there are no traces.
        let _ = span.set_parent(self.0.extract(&carrier));
    }
}

/// The layer that passes the spans of Roomwire to OpenTelemetry. They have the level debug.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let spans = Targets::new().with_target("roomwire", LevelFilter::DEBUG).with_default(LevelFilter::INFO);
    tracing_opentelemetry::layer().with_tracer(provider.tracer("roomwire")).with_filter(spans)
}

/// A gateway that passes what a client says to the others.
#[must_use]
pub fn gateway() -> Gateway {
    Gateway::new().on_connect(enter).on("say", say)
}

async fn enter(service: WebSocketService, client: Client) -> Result<(), Error> {
    service.join_room(&client, "lobby").await
}

async fn say(service: WebSocketService, Data(text): Data<String>) -> Result<(), Error> {
    // A span of the app itself: Roomwire's spans are its children.
    let _ = tracing::info_span!("check").in_scope(|| text.len());
    service.broadcast_to_room("lobby", "said", &text).await
}
