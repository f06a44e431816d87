//! Serves the gateway, logs to standard error, and writes the traces to standard output.

use std::error::Error;

use axum::Router;
use example_tracing::{OpenTelemetry, gateway, layer};
use opentelemetry_sdk::trace::SdkTracerProvider;
use roomwire_service::{WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use tracing_subscriber::{Layer, filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Choose an exporter for your collector, such as that of `opentelemetry-otlp`, in a batch processor.
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(opentelemetry_stdout::SpanExporter::default()).build();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(layer(&provider)).try_init()?;

    let service = WebSocketService::builder(WebSocketConfig::load()?)
        .state(MemoryState::new())
        .trace_context(OpenTelemetry::default())
        .build()
        .await?;
    roomwire_axum_adapter::serve(Router::new(), service, gateway()).await?;
    provider.shutdown()?;
    Ok(())
}
