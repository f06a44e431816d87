//! Who clients are: what they say, for tests of everything that comes after somebody has believed it.

use async_trait::async_trait;
use roomwire_core::{Authenticator, ConnectRequest, Error, ErrorCode, Identity, Timestamp, UserId};
use serde::Deserialize;

/// Admits whoever says who it is and until when, and, as nobody in particular, whoever says nothing.
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
