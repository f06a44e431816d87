//! Authentication: `auth`.

use super::{ConfigKey, DAY, LONGEST_PATH, TEN_MINUTES, key};
use crate::config::field::Field;

pub(super) static KEYS: &[ConfigKey] = &[
    key("auth.algorithms", "The algorithms by which a token may be signed.", |c| {
        Field::Algorithms(&mut c.auth.algorithms)
    })
    .at_once(),
    key("auth.secret", "The secret of the HS algorithms; never shown.", |c| Field::secret(&mut c.auth.secret, 1024))
        .at_once(),
    key("auth.publicKey", "The public key of the other algorithms, as PEM.", |c| Field::Pem(&mut c.auth.public_key))
        .at_once(),
    key("auth.keyFile", "A file with that public key or that secret.", |c| {
        Field::text(&mut c.auth.key_file, LONGEST_PATH)
    })
    .at_once(),
    key("auth.jwks", "A file with a JSON Web Key Set, or the http or https URL of one.", |c| {
        Field::text(&mut c.auth.jwks, LONGEST_PATH)
    })
    .at_once(),
    key("auth.jwksRefresh", "The maximum age of a key set before it is refreshed.", |c| {
        Field::millis(&mut c.auth.jwks_refresh, 1000..=DAY)
    })
    .at_once(),
    key("auth.issuers", "Accepted `iss` values. If empty, any issuer is accepted.", |c| {
        Field::Words(&mut c.auth.issuers)
    })
    .at_once(),
    key("auth.audiences", "Accepted `aud` values. If empty, tokens with an `aud` claim are rejected.", |c| {
        Field::Words(&mut c.auth.audiences)
    })
    .at_once(),
    key("auth.leeway", "The allowed clock skew of issuers.", |c| Field::millis(&mut c.auth.leeway, 0..=TEN_MINUTES))
        .at_once(),
    key("auth.userClaim", "The claim with the user's id.", |c| Field::Name(&mut c.auth.user_claim)).at_once(),
    key("auth.field", "The field of the handshake's auth payload with the token.", |c| Field::Name(&mut c.auth.field))
        .at_once(),
    key("auth.header", "The request header with the token, alone or after Bearer.", |c| {
        Field::Name(&mut c.auth.header)
    })
    .at_once(),
    key("auth.anonymous", "Whether clients without a token are accepted, as guests.", |c| {
        Field::Switch(&mut c.auth.anonymous)
    })
    .at_once(),
    key("auth.timeout", "How long to wait for the authenticator before a client is refused.", |c| {
        Field::millis(&mut c.auth.timeout, 100..=60_000)
    })
    .at_once(),
    key("auth.revocation", "How long a revocation is remembered: at least the longest lifetime of a token.", |c| {
        Field::millis(&mut c.auth.revocation, 1000..=30 * DAY)
    })
    .at_once(),
];
