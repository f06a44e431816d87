//! Users: all connections of one user as one, and taking access back.

use std::time::Duration;

use roomwire_core::{
    Channel, DisconnectReason, EncodedPayload, Error, IntoPayload, NodeMessage, Page, PageRequest, Revocation, Revoked,
    Timestamp, TokenId, UserId, WebSocketClient,
};

use super::WebSocketService;

impl WebSocketService {
    /// Sends an event to all clients of a user in this namespace, in the whole cluster.
    ///
    /// As with a [broadcast](Self::broadcast), the data is encoded once, clients on this node have it queued when this
    /// returns, other nodes with clients of this namespace get one message, and no state is read. A user without
    /// clients is no error.
    ///
    /// # Errors
    /// As [`broadcast_to_room`](Self::broadcast_to_room).
    pub async fn send_to_user(&self, user: &UserId, event: &str, data: impl IntoPayload) -> Result<(), Error> {
        let event = self.outbound(event, data)?;
        self.node.fits_message(&event.payload)?;
        self.node.deliver_to_user(&self.namespace, user, &event);
        let namespace = self.namespace_name().clone();
        self.to_others(Channel::Namespace(namespace.clone()), || NodeMessage::ToUser {
            namespace,
            user: user.clone(),
            event: event.name.as_str().to_owned(),
            payload: EncodedPayload::from(&event.payload),
        })
        .await
    }

    /// Disconnects all clients of a user in this namespace, in the whole cluster. Returns when the order was given. The
    /// user may connect again at once: [`revoke_user`](Self::revoke_user) keeps it out.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE` when other nodes could not be reached: clients on this node are disconnected then.
    pub async fn disconnect_user(&self, user: &UserId) -> Result<(), Error> {
        let reason = DisconnectReason::DisconnectedByServer;
        self.node.disconnect_user_here(&self.namespace, user, reason);
        let (namespace, user) = (self.namespace_name().clone(), user.clone());
        let channel = Channel::Namespace(namespace.clone());
        self.to_others(channel, || NodeMessage::DisconnectUser { namespace, user, reason }).await
    }

    /// A page of the clients of a user in this namespace, across the cluster. Those of a node that is lost are listed
    /// until it is cleaned up.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn user_sessions(&self, user: &UserId, page: &PageRequest) -> Result<Page<WebSocketClient>, Error> {
        Ok(self.node.bounded(self.node.store.user_clients(self.namespace_name(), user, page)).await?)
    }

    /// How many clients a user has in this namespace, across the cluster.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub async fn user_session_count(&self, user: &UserId) -> Result<u64, Error> {
        Ok(self.node.bounded(self.node.store.user_client_count(self.namespace_name(), user)).await?)
    }

    /// Revokes all tokens issued to the user up to this second, and those without a time of issue. Its clients are
    /// disconnected with reason `access revoked`, in all namespaces and on every node.
    ///
    /// Remembered for `auth.revocation`, which must be as long as the longest life of a token.
    ///
    /// Tokens say in whole seconds when they were issued, so one that is issued in the second of the revocation counts
    /// as issued before. The call returns when that second is over: a token that is issued after it, as when a user has
    /// changed a password, holds. The revocation itself takes effect at once.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE` when the store or other nodes could not be reached. It holds on this node all the same,
    /// which tells the others when they are back; calling it again does no harm.
    pub async fn revoke_user(&self, user: &UserId) -> Result<(), Error> {
        let revoked_at = self.node.clock.now();
        let until = revoked_at.plus(self.config().auth.revocation);
        let subject = Revoked::User(user.clone());
        let told = self.node.revoke(Revocation { subject, revoked_at, until }).await;
        let rest_of_second = 1_000 - revoked_at.as_millis() % 1_000;
        tokio::time::sleep(Duration::from_millis(rest_of_second)).await;
        told
    }

    /// As [`revoke_user`](Self::revoke_user), for one token by its name (`jti`), whosever it is: to be remembered until
    /// it expires by itself.
    ///
    /// # Errors
    /// As there.
    pub async fn revoke_token(&self, token: &TokenId, until: Timestamp) -> Result<(), Error> {
        let subject = Revoked::Token(token.clone());
        self.node.revoke(Revocation { subject, revoked_at: self.node.clock.now(), until }).await
    }
}
