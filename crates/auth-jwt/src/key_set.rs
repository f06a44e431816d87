//! The verification keys at one time.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use roomwire_core::config;
use serde::Deserialize;
use serde_json::Value;

use super::{
    key::Key,
    kind::{Kind, in_library, listed},
    pem,
};

/// The largest number of keys in a set. Real ones have two or three.
const MOST_KEYS: usize = 100;

/// Keys, at least one.
pub(crate) struct KeySet(Vec<Key>);

/// The parsed part of a JSON Web Key Set: each key separately, so that an unknown key does not invalidate the others.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    pub(crate) fn of(key: Key) -> Self {
        Self(vec![key])
    }

    /// Parses a JSON Web Key Set. Keys for other purposes and of types that are not configured are ignored.
    ///
    /// # Errors
    /// Why none of its keys can be used, as text that follows the name of the source.
    pub(crate) fn from_jwks(text: &[u8], algorithms: &[config::Algorithm], secrets: Secrets) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| format!("holds no JSON Web Key Set, such as {{\"keys\": […]}}: {error}"))?;
        if document.keys.len() > MOST_KEYS {
            return Err(format!("holds {} keys; up to {MOST_KEYS} are allowed", document.keys.len()));
        }
        let mut keys = Vec::new();
        let mut left_out = Vec::new();
        for (number, value) in document.keys.into_iter().enumerate() {
            match key(value, algorithms, secrets) {
                Ok(key) => keys.push(key),
                Err(problem) => left_out.push(format!("key {} {problem}", number + 1)),
            }
        }
        for problem in &left_out {
            tracing::debug!(target: "roomwire", problem, "a key of a key set is not used");
        }
        if keys.is_empty() {
            let which = if left_out.is_empty() { "it is empty".to_owned() } else { left_out.join("; ") };
            return Err(format!("holds no key for {}: {which}", listed(algorithms)));
        }
        Ok(Self(keys))
    }

    /// The key for a token: the one with its key id, or the only one that matches its algorithm if the token or the key
    /// has none. A set of several keys needs ids, as OpenID Connect demands: trying all keys would let a token choose
    /// its verification cost.
    pub(crate) fn choose(&self, algorithm: Algorithm, id: Option<&str>) -> Option<&Key> {
        let mut fitting = self.iter().filter(|key| key.is_for(algorithm));
        if let Some(id) = id
            && let Some(named) = fitting.clone().find(|key| key.id() == Some(id))
        {
            return Some(named);
        }
        let only = fitting.next().filter(|_| fitting.next().is_none())?;
        (id.is_none() || only.id().is_none()).then_some(only)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn iter(&self) -> impl Iterator<Item = &Key> + Clone {
        self.0.iter()
    }
}

/// Whether a key set may contain shared secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    Allowed,
    /// A set that is fetched is public.
    Refused,
}

fn key(value: Value, algorithms: &[config::Algorithm], secrets: Secrets) -> Result<Key, String> {
    if value.get("d").is_some() {
        return Err("is a private key; a key set for checking tokens must hold public keys only".to_owned());
    }
    let jwk: Jwk = serde_json::from_value(value).map_err(|error| format!("is not understood: {error}"))?;
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err("is not for signatures (use)".to_owned());
    }
    if common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
        return Err("is not for verifying (key_ops)".to_owned());
    }
    let (kind, decoding) = material(&jwk, secrets)?;
    // A key with an `alg` field is for this algorithm only.
    let named =
        common.key_algorithm.map(|name| Algorithm::try_from(name).map_err(|_| "is for another algorithm (alg)"));
    let named = named.transpose()?;
    let allowed: Vec<_> = algorithms
        .iter()
        .copied()
        .filter(|algorithm| named.is_none_or(|named| named == in_library(*algorithm)))
        .collect();
    Key::new(jwk.common.key_id, kind, decoding, &allowed)
        .ok_or_else(|| format!("is {kind}, for none of auth.algorithms"))
}

fn material(jwk: &Jwk, secrets: Secrets) -> Result<(Kind, DecodingKey), String> {
    let decoding = DecodingKey::from_jwk(jwk).map_err(|_| "is damaged or of no kind that is understood")?;
    let kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => {
            let DecodingKeyKind::RsaModulusExponent { n, e } = decoding.kind() else {
                return Err("is damaged".to_owned());
            };
            return pem::rsa(n, e);
        }
        AlgorithmParameters::EllipticCurve(parameters) => {
            let kind = pem::curve(decoding.try_get_as_bytes().map_err(|_| "is damaged")?)?;
            let stated = match kind {
                Kind::P256 => EllipticCurve::P256,
                _ => EllipticCurve::P384,
            };
            if parameters.curve != stated {
                return Err("is on another curve than it says (crv)".to_owned());
            }
            kind
        }
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            pem::edwards(decoding.try_get_as_bytes().map_err(|_| "is damaged")?)?;
            Kind::Ed25519
        }
        AlgorithmParameters::OctetKey(_) if secrets == Secrets::Refused => {
            return Err("is a shared secret; whoever can read the set could make tokens".to_owned());
        }
        AlgorithmParameters::OctetKey(_) => Kind::Secret(decoding.try_get_as_bytes().map_err(|_| "is damaged")?.len()),
        _ => return Err("is of no kind that is understood".to_owned()),
    };
    Ok((kind, decoding))
}
