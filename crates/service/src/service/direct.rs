//! Messages to one client.

use roomwire_core::{EncodedPayload, Error, IntoPayload, NodeMessage, ToClientId};

use super::WebSocketService;

impl WebSocketService {
    /// Sends an event to one client, wherever in the cluster it is connected.
    ///
    /// When the client is connected to this node, no state is read and the event is queued when this returns. Otherwise
    /// the store is asked where it is, and that node gets one message. A client that was not told yet that it is
    /// connected gets it then; one that is gone when the message reaches its node does not get it.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`, `INVALID_NAME`; `INTERNAL` when the data cannot be written as JSON; `LIMIT_EXCEEDED` when it
    /// has more binary values than `limits.attachments`. When the client is not here: `PAYLOAD_TOO_LARGE` when the data
    /// is more than can be sent to other nodes, `STATE_UNAVAILABLE` when the store or the other node cannot be reached.
    pub async fn send_to_client(
        &self,
        client: impl ToClientId,
        event: &str,
        data: impl IntoPayload,
    ) -> Result<(), Error> {
        let client = client.to_client_id()?;
        let event = self.outbound(event, data)?;
        if self.namespace.client(&client).is_some() {
            return self.node.deliver_to_client(&self.namespace, &client, &event);
        }
        self.node.fits_message(&event.payload)?;
        let until = self.node.deadline();
        let process = self.locate_elsewhere(until, &client).await?;
        let message = NodeMessage::ToClient {
            namespace: self.namespace_name().clone(),
            client,
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
        };
        self.tell(until, process, message).await
    }
}
