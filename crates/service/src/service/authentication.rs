//! Finding out who a client is: when it connects, and when it shows something newer.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use roomwire_core::{ConnectRequest, Error, ErrorCode, Identity, Payload, Timestamp};
use serde::Serialize;
use tokio::time::timeout;

use super::{Handshake, WebSocketService};
use crate::{Client, bounds, instruments};

/// What a client is told when it showed something newer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    /// When to have shown the next; absent when what it showed holds for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl WebSocketService {
    /// Who a client is that wants to connect, with what is left of its handshake.
    ///
    /// # Errors
    /// What the client is to be told.
    pub(crate) async fn identify(&self, mut handshake: Handshake) -> Result<(Handshake, Arc<Identity>), Error> {
        bounds::depth(&self.config().limits, &handshake.auth)?;
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

    /// A connected client shows something newer. Answers when to have shown the next.
    ///
    /// # Errors
    /// What the client is to be told: what the authenticator says, `FORBIDDEN` when it proves another user,
    /// `TOKEN_EXPIRED` when it comes too late. What it had shown before holds on.
    pub(crate) async fn renew_identity(&self, client: &Client, shown: Payload) -> Result<Payload, Error> {
        let request = ConnectRequest { auth: shown, ..ConnectRequest::new(client.namespace().clone()) };
        let identity = Arc::new(self.authenticate(&request).await?);
        if identity.user.as_ref() != client.user() {
            let problem = "This proves another user; connect again to change who you are";
            return Err(Error::with_message(ErrorCode::Forbidden, problem));
        }
        let expires_at = identity.expires_at;
        self.node.expiries.renew(client, identity, self.node.clock.now())?;
        // It may have been taken back after it was looked at.
        self.node.disconnect_revoked(std::slice::from_ref(client));
        Payload::encode(&Renewed { expires_at })
    }

    /// Asks the authenticator; everybody is nobody in particular when there is none.
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let Some(authenticator) = &self.node.authenticator else { return Ok(Identity::anonymous()) };
        let asked = AssertUnwindSafe(async { authenticator.authenticate(request).await }).catch_unwind();
        let answer = match timeout(self.config().auth.timeout, asked).await {
            Ok(Ok(answer)) => answer.and_then(|identity| self.holding(identity)),
            Ok(Err(_)) => Err(Error::internal("the authenticator panicked")),
            Err(late) => {
                let problem = "It was not decided in time who you are, try again later";
                Err(Error::with_message(ErrorCode::Timeout, problem).with_source(late))
            }
        };
        let outcome = answer.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK");
        instruments::authenticated(outcome);
        tracing::debug!(target: "roomwire", ?request, outcome, "authenticated");
        answer
    }

    /// An identity that holds now.
    fn holding(&self, identity: Identity) -> Result<Identity, Error> {
        let holds = !identity.is_expired(self.node.clock.now()) && self.node.is_revoked(&identity).is_none();
        if holds { Ok(identity) } else { Err(ErrorCode::Unauthorized.into()) }
    }
}
