//! Authentication: `auth`.

use super::{ConfigKey, DAY, LONGEST_PATH, TEN_MINUTES, key};
use crate::config::field::Field;

pub(super) static KEYS: &[ConfigKey] = &[
    key("auth.algorithms", "The algorithms by which a token may be signed.", |c| {
        Field::Algorithms(&mut c.auth.algorithms)
    }),
    key("auth.secret", "The secret of the HS algorithms; never shown.", |c| Field::secret(&mut c.auth.secret, 1024)),
    key("auth.publicKey", "The public key of the other algorithms, as PEM.", |c| Field::Pem(&mut c.auth.public_key)),
    key("auth.keyFile", "A file with that public key or that secret.", |c| {
        Field::text(&mut c.auth.key_file, LONGEST_PATH)
    }),
    key("auth.jwks", "A file with a JSON Web Key Set, or the http or https URL of one.", |c| {
        Field::text(&mut c.auth.jwks, LONGEST_PATH)
    }),
    key("auth.jwksRefresh", "The maximum age of a key set before it is refreshed.", |c| {
        Field::millis(&mut c.auth.jwks_refresh, 1000..=DAY)
    }),
    key("auth.issuers", "Accepted `iss` values. If empty, any issuer is accepted.", |c| {
        Field::Words(&mut c.auth.issuers)
    }),
    key("auth.audiences", "Accepted `aud` values. If empty, tokens with an `aud` claim are rejected.", |c| {
        Field::Words(&mut c.auth.audiences)
    }),
    key("auth.leeway", "The allowed clock skew of issuers.", |c| Field::millis(&mut c.auth.leeway, 0..=TEN_MINUTES)),
    key("auth.userClaim", "The claim with the user's id.", |c| Field::Name(&mut c.auth.user_claim)),
    key("auth.field", "The field of the handshake's auth payload with the token.", |c| Field::Name(&mut c.auth.field)),
    key("auth.header", "The request header with the token, alone or after Bearer.", |c| {
        Field::Name(&mut c.auth.header)
    }),
    key("auth.anonymous", "Whether clients without a token are accepted, as guests.", |c| {
        Field::Switch(&mut c.auth.anonymous)
    }),
    key("auth.timeout", "How long to wait for the authenticator before a client is refused.", |c| {
        Field::millis(&mut c.auth.timeout, 100..=60_000)
    }),
    key("auth.revocation", "How long a revocation is remembered: at least the longest lifetime of a token.", |c| {
        Field::millis(&mut c.auth.revocation, 1000..=30 * DAY)
    }),
];
