//! An issuer of tokens.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Signs with an RSA key of its own.
pub struct Issuer {
    signing: EncodingKey,
    /// The public key as PEM.
    pub public: String,
}

impl Issuer {
    /// With a key that is made now.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each has another key")]
    pub fn new() -> Self {
        let unusable = |error: &dyn std::error::Error| -> ! { panic!("no key can be made: {error}") };
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap_or_else(|error| unusable(&error));
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap_or_else(|error| unusable(&error));
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap_or_else(|error| unusable(&error));
        let signing = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes());
        Self { signing: signing.unwrap_or_else(|error| unusable(&error)), public: pem("PUBLIC KEY", public.as_ref()) }
    }

    /// What an honest client's token says, for some audience.
    #[must_use]
    pub fn claims(audience: &str) -> Value {
        json!({ "sub": "ada", "aud": audience, "exp": seconds() + 3600, "iat": seconds() })
    }

    /// A token that says this.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        sign(Algorithm::RS256, claims, &self.signing)
    }

    /// A token with the public key as its secret.
    ///
    /// # Panics
    /// As [`Self::token`].
    #[must_use]
    pub fn token_by_public_key(&self, claims: &Value) -> String {
        sign(Algorithm::HS256, claims, &EncodingKey::from_secret(self.public.as_bytes()))
    }

    /// A token without a signature, which says so.
    #[must_use]
    pub fn unsigned(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

fn sign(algorithm: Algorithm, claims: &Value, key: &EncodingKey) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap_or_else(|error| panic!("no token can be signed: {error}"))
}

/// Since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
