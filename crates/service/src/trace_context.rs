//! The port for distributed traces.

use std::fmt;

use tracing::Span;

/// Joins the spans of this service into distributed traces. The application implements it with its tracing library, such
/// as OpenTelemetry (`examples/tracing`), and passes it to
/// [`trace_context`](crate::WebSocketServiceBuilder::trace_context).
///
/// A context is a `traceparent` of [W3C Trace Context](https://www.w3.org/TR/trace-context/). It is carried by messages
/// between nodes, and read from the handshake of a connection. Texts that are not valid are ignored: see
/// [`TraceParent`](roomwire_core::TraceParent).
///
/// Both methods are called often and must not wait.
pub trait TraceContext: fmt::Debug + Send + Sync + 'static {
    /// The context of the current span, for a message to other nodes. `None` outside of any trace.
    fn current(&self) -> Option<String>;

    /// Makes a span of another process the parent of this span, which has not been entered yet. The context is valid.
    fn set_parent(&self, span: &Span, context: &str);
}
