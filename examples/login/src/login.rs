//! Where people show their password and get a token.

use std::time::Duration;

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use jsonwebtoken::{EncodingKey, Header, encode};
use roomwire_core::config::{Algorithm, Auth, Secret};
use roomwire_service::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The users, their passwords, and the rooms that they may join. A real one keeps Argon2 hashes and limits
/// attempts.
const PEOPLE: &[(&str, &str, &[&str])] =
    &[("ada", "lovelace", &["lobby", "engine-*"]), ("grace", "hopper", &["lobby", "compiler-*"])];

/// Short: a user that is locked out loses its sockets when it is over.
const LIFE: Duration = Duration::from_secs(60);

const NAME: &str = "login-example";

/// Signs the tokens of those whose password is right.
#[derive(Clone)]
pub(crate) struct Desk {
    key: EncodingKey,
}

impl Desk {
    /// A desk that issues the only tokens that these settings accept from now on. The secret is the configured
    /// one; without one it is made up, and tokens end with the process.
    pub(crate) fn open(auth: &mut Auth) -> Self {
        let secret = auth.secret.get_or_insert_with(|| Secret::from(random_text()));
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        auth.algorithms = vec![Algorithm::Hs256];
        auth.issuers = vec![NAME.to_owned()];
        auth.audiences = vec![NAME.to_owned()];
        Self { key }
    }

    /// A token for the user with this name and password.
    pub(crate) fn token(&self, name: &str, password: &str) -> Option<String> {
        let (name, _, rooms) = PEOPLE.iter().find(|(known, right, _)| *known == name && *right == password)?;
        let now = Timestamp::now();
        let claims = json!({
            "iss": NAME, "aud": NAME, "sub": name, "rooms": rooms, "jti": random_text(),
            "iat": now.as_millis() / 1000, "exp": now.plus(LIFE).as_millis() / 1000,
        });
        encode(&Header::default(), &claims, &self.key).ok()
    }
}

/// 256 bits.
fn random_text() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new().route("/login", post(log_in)).with_state(desk)
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

async fn log_in(
    State(desk): State<Desk>,
    Json(Credentials { name, password }): Json<Credentials>,
) -> Result<Json<Value>, (StatusCode, &'static str)> {
    match desk.token(&name, &password) {
        Some(token) => Ok(Json(json!({ "token": token }))),
        None => Err((StatusCode::UNAUTHORIZED, "Name or password is wrong")),
    }
}
