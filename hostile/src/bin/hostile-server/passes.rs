//! An authenticator that accepts any claim, for tests of what comes after authentication.

use async_trait::async_trait;
use roomwire_core::{Authenticator, ConnectRequest, Error, ErrorCode, Identity, Timestamp, UserId};
use serde::Deserialize;

/// Accepts the user and expiry that a client claims, and clients without a claim as guests.
#[derive(Debug)]
pub(crate) struct Passes;

#[derive(Debug, Deserialize)]
struct Pass {
    user: String,
    /// In milliseconds since 1970.
    until: u64,
}

#[async_trait]
impl Authenticator for Passes {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        if matches!(request.auth.arguments(), "" | "{}" | "null") {
            return Ok(Identity::anonymous());
        }
        let pass: Pass = request.auth.decode().map_err(|_| ErrorCode::Unauthorized)?;
        let expires_at = Some(Timestamp::from_millis(pass.until));
        Ok(Identity { expires_at, ..Identity::of(UserId::new(pass.user)?) })
    }
}
