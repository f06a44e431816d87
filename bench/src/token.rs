//! The credentials of clients.

use std::time::SystemTime;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

/// Used by this benchmark alone.
pub(crate) const SECRET: &str = "a secret of thirty-two bytes, or more";

/// A token of one user, for an hour.
pub(crate) fn issue() -> anyhow::Result<String> {
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let claims = json!({ "sub": "ada", "iat": now, "exp": now + 3600, "jti": "one", "rooms": ["room-*"] });
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()))?)
}
