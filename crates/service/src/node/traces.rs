//! The contexts of distributed traces that come in and go out.

use http::HeaderMap;
use roomwire_core::{Envelope, Escaped, TraceParent};
use tracing::Span;

use super::Node;

impl Node {
    /// The context of the current span. Computes nothing without a [`TraceContext`](crate::TraceContext).
    pub(super) fn current_trace(&self) -> Option<TraceParent> {
        let current = self.trace_context.as_ref()?.current()?;
        TraceParent::parse(&current)
    }

    /// The span of a message from another node.
    pub(super) fn delivery_span(&self, envelope: &Envelope) -> Span {
        let span = tracing::debug_span!(target: "roomwire", "deliver", sender = %Escaped(envelope.sender()));
        if let (Some(port), Some(trace)) = (&self.trace_context, &envelope.trace)
            && !span.is_disabled()
        {
            port.set_parent(&span, trace.as_str());
        }
        span
    }

    /// The span of a connection with these headers in its handshake.
    pub(crate) fn connection_span(&self, headers: &HeaderMap) -> Span {
        let span = tracing::debug_span!(target: "roomwire", "connection");
        if let Some(port) = &self.trace_context
            && !span.is_disabled()
            && let Some(parent) = headers.get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?))
        {
            port.set_parent(&span, parent.as_str());
        }
        span
    }
}
