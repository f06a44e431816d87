//! Authentication of clients: when they connect, and when they reauthenticate.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use roomwire_core::{ConnectRequest, Error, ErrorCode, Identity, Payload, Timestamp};
use serde::Serialize;
use tokio::time::timeout;

use super::{Handshake, WebSocketService};
use crate::{Client, limits};

/// The acknowledgement of a reauthentication.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    /// When to authenticate next. Absent if the identity does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl WebSocketService {
    /// The identity of a connecting client, with the rest of its handshake.
    ///
    /// # Errors
    /// The error to send to the client.
    pub(crate) async fn identify(&self, mut handshake: Handshake) -> Result<(Handshake, Arc<Identity>), Error> {
        limits::depth(&self.node.config().limits, &handshake.auth)?;
        let identity = match handshake.identity.take() {
            Some(identity) => self.holding(identity)?,
            None => {
                let request = ConnectRequest {
                    namespace: self.namespace_name().clone(),
                    auth: handshake.auth.clone(),
                    headers: std::mem::take(&mut handshake.headers),
                    query: std::mem::take(&mut handshake.query),
                    address: handshake.address,
                    origin: handshake.origin.take(),
                };
                self.authenticate(&request).await?
            }
        };
        Ok((handshake, Arc::new(identity)))
    }

    /// Reauthenticates a connected client. Returns when it must do so next.
    ///
    /// # Errors
    /// For the client: the authenticator's error, `FORBIDDEN` for another user, `TOKEN_EXPIRED` if the former identity has
    /// expired. The former identity stays.
    pub(crate) async fn renew_identity(&self, client: &Client, shown: Payload) -> Result<Payload, Error> {
        let request = ConnectRequest { auth: shown, ..ConnectRequest::new(client.namespace().clone()) };
        let identity = Arc::new(self.authenticate(&request).await?);
        if identity.user.as_ref() != client.user() {
            let problem = "The token is of another user; connect again to change the user";
            return Err(Error::with_message(ErrorCode::Forbidden, problem));
        }
        let expires_at = identity.expires_at;
        self.node.expiries.renew(client, identity, self.node.clock.now())?;
        // It may have been revoked after it was checked.
        self.node.disconnect_revoked(std::slice::from_ref(client));
        Payload::encode(&Renewed { expires_at })
    }

    /// Calls the authenticator. Without one, every client is anonymous.
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let Some(authenticator) = &self.node.auth_hooks.authenticator else { return Ok(Identity::anonymous()) };
        let asked = AssertUnwindSafe(async { authenticator.authenticate(request).await }).catch_unwind();
        let limit = self.node.config().auth.timeout;
        let answer = match timeout(limit, asked).await {
            Ok(Ok(answer)) => answer.and_then(|identity| self.holding(identity)),
            Ok(Err(_)) => Err(Error::internal("the authenticator panicked")),
            Err(late) => {
                let problem = "Authentication timed out, try again later";
                Err(Error::with_message(ErrorCode::Timeout, problem).with_source(late))
            }
        };
        let outcome = answer.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK");
        self.node.metrics.authenticated(answer.as_ref().err().map(Error::code));
        tracing::debug!(target: "roomwire", ?request, outcome, "authenticated");
        if let Err(error) = &answer {
            self.node.refusals.not_authenticated(error, request);
        }
        answer
    }

    /// An identity that is valid now.
    fn holding(&self, identity: Identity) -> Result<Identity, Error> {
        let unauthorized = |why: &'static str| Err(Error::new(ErrorCode::Unauthorized).with_source(why));
        if identity.is_expired(self.node.clock.now()) {
            return unauthorized("what it showed has expired");
        }
        if self.node.is_revoked(&identity).is_some() {
            return unauthorized("what it showed is revoked");
        }
        Ok(identity)
    }
}
