//! Messages to one client.

use roomwire_core::{ClientId, EncodedPayload, Error, Escaped, IntoPayload, NodeMessage, OutboundEvent, ToClientId};
use tracing::Instrument;

use super::WebSocketService;
use crate::{follow::Sending, metrics::Timer};

impl WebSocketService {
    /// Sends an event to one client, wherever in the cluster it is connected.
    ///
    /// If the client is connected to this node, no store call is made and the event is queued when this returns.
    /// Otherwise the store returns its location, and that node gets one message. A client that is still connecting gets
    /// it after its CONNECT packet; one that has disconnected when the message reaches its node does not get it.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`, `INVALID_NAME`; `INTERNAL` if the data cannot be serialized as JSON; `LIMIT_EXCEEDED` if it
    /// has more binary values than `limits.attachments`. If the client is on another node: `PAYLOAD_TOO_LARGE` if the
    /// data is too large for other nodes, `STATE_UNAVAILABLE` if the store or the other node cannot be reached.
    pub async fn send_to_client(
        &self,
        client: impl ToClientId,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let _timer = Timer::start(&self.node.metrics.sends_to_clients);
        let client = client.to_client_id()?;
        let event = self.outbound(event, data)?;
        let span = tracing::debug_span!(target: "roomwire", "send", client = %Escaped(&client), event = ?event.name);
        self.event_to_client(client, event).instrument(span).await
    }

    async fn event_to_client(&self, client: ClientId, event: OutboundEvent) -> Result<(), Error> {
        if let Some(client) = self.namespace.client(&client) {
            return self.node.deliver_to_client(&client, &event);
        }
        self.node.backend.fits_message(&event.payload)?;
        let until = self.node.backend.deadline();
        let process = self.locate_elsewhere(until, &client).await?;
        if self.node.followers.is_active() {
            // Queued by the node that the client is connected to.
            self.node.followers.sent(&Sending::to_client(self.namespace_name(), &client, None), &event, (0, 0));
        }
        let message = NodeMessage::ToClient {
            namespace: self.namespace_name().clone(),
            client,
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
        };
        self.tell(until, process, message).await
    }
}
