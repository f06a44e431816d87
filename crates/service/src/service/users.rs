//! Users: all connections of one user, and revoking access.

use std::time::Duration;

use roomwire_core::{
    Channel, DisconnectReason, EncodedPayload, Error, Escaped, IntoPayload, NodeMessage, OutboundEvent, Page,
    PageRequest, Revocation, Revoked, Timestamp, TokenId, UserId, WebSocketClient,
};
use tracing::Instrument;

use super::WebSocketService;
use crate::metrics::Timer;

impl WebSocketService {
    /// Sends an event to all clients of a user in this namespace, in the whole cluster.
    ///
    /// As with a [broadcast](Self::broadcast), the data is encoded once, messages to clients on this node are queued
    /// when this returns, other nodes with clients of this namespace get one message, and no store call is made. A user
    /// without clients is no error.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room).
    pub async fn send_to_user(&self, user: &UserId, event: &str, data: impl IntoPayload) -> Result<(), Error> {
        let _timer = Timer::start(&self.node.metrics.sends_to_users);
        let event = self.outbound(event, data)?;
        let span = tracing::debug_span!(target: "roomwire", "send", user = %Escaped(user), event = ?event.name);
        self.event_to_user(user, &event).instrument(span).await
    }

    async fn event_to_user(&self, user: &UserId, event: &OutboundEvent) -> Result<(), Error> {
        self.node.backend.fits_message(&event.payload)?;
        self.node.deliver_to_user(&self.namespace, user, event);
        let namespace = self.namespace_name().clone();
        self.to_others(Channel::Namespace(namespace.clone()), || NodeMessage::ToUser {
            namespace,
            user: user.clone(),
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
        })
        .await
    }

    /// Disconnects all clients of a user in this namespace, in the whole cluster. Returns when the request was sent.
    /// The user may reconnect at once; [`revoke_user`](Self::revoke_user) prevents that.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE` if other nodes could not be reached: clients on this node are disconnected nevertheless.
    pub async fn disconnect_user(&self, user: &UserId) -> Result<(), Error> {
        let reason = DisconnectReason::DisconnectedByServer;
        self.node.disconnect_user_here(&self.namespace, user, reason);
        let (namespace, user) = (self.namespace_name().clone(), user.clone());
        let channel = Channel::Namespace(namespace.clone());
        self.to_others(channel, || NodeMessage::DisconnectUser { namespace, user, reason }).await
    }

    /// A page of the clients of a user in this namespace, across the cluster. Clients of a lost node are listed until
    /// it is cleaned up.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn user_sessions(&self, user: &UserId, page: &PageRequest) -> Result<Page<WebSocketClient>, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.user_clients(self.namespace_name(), user, page)).await?)
    }

    /// The number of clients of a user in this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn user_session_count(&self, user: &UserId) -> Result<u64, Error> {
        Ok(self.node.backend.bounded(self.node.backend.store.user_client_count(self.namespace_name(), user)).await?)
    }

    /// Revokes all tokens issued to the user up to this second, and those without a time of issue. Its clients are
    /// disconnected with reason `access revoked`, in all namespaces and on every node.
    ///
    /// Remembered for `auth.revocation`, which must be at least the longest lifetime of a token.
    ///
    /// The issue time of a token is in whole seconds, so a token that is issued in the second of the revocation counts
    /// as issued before. The call returns when that second is over: a token that is issued afterwards, for example
    /// after a password change, is valid. The revocation itself takes effect at once.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE` if the store or other nodes could not be reached. It takes effect on this node nevertheless,
    /// which informs the others when they are back. The call is idempotent.
    pub async fn revoke_user(&self, user: &UserId) -> Result<(), Error> {
        let revoked_at = self.node.clock.now();
        let until = revoked_at.plus(self.node.config().auth.revocation);
        let subject = Revoked::User(user.clone());
        let told = self.node.revoke(Revocation { subject, revoked_at, until }).await;
        let rest_of_second = 1_000 - revoked_at.as_millis() % 1_000;
        tokio::time::sleep(Duration::from_millis(rest_of_second)).await;
        told
    }

    /// Like [`revoke_user`](Self::revoke_user), for one token by its id (`jti`), whichever user it belongs to. Pass the
    /// token's expiry as the time until which to remember it.
    ///
    /// # Errors
    /// As there.
    pub async fn revoke_token(&self, token: &TokenId, until: Timestamp) -> Result<(), Error> {
        let subject = Revoked::Token(token.clone());
        self.node.revoke(Revocation { subject, revoked_at: self.node.clock.now(), until }).await
    }
}
