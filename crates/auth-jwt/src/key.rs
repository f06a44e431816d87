//! A verification key of tokens, with the algorithms that may use it.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, errors::ErrorKind};
use roomwire_core::{Metadata, config};

use super::{
    kind::{Kind, in_library},
    refusal::Refusal,
};

/// A key, parsed once.
pub(crate) struct Key {
    /// Its id in a key set (`kid`).
    id: Option<String>,
    kind: Kind,
    decoding: DecodingKey,
    /// The algorithms it may be used with, and the library's verification parameters. Never empty.
    uses: Vec<(Algorithm, Validation)>,
}

impl Key {
    /// A key for those of these algorithms that match its type. `None` if none does.
    pub(crate) fn new(
        id: Option<String>,
        kind: Kind,
        decoding: DecodingKey,
        algorithms: &[config::Algorithm],
    ) -> Option<Self> {
        let fitting = algorithms.iter().filter(|algorithm| kind.fits(**algorithm));
        let uses: Vec<_> =
            fitting.map(|algorithm| in_library(*algorithm)).map(|name| (name, signature_only(name))).collect();
        (!uses.is_empty()).then_some(Self { id, kind, decoding, uses })
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.validation(algorithm).is_some()
    }

    /// The claims of a token with a verified signature. They are not validated.
    pub(crate) fn verify(&self, token: &str, header: &Header) -> Result<Metadata, Refusal> {
        let validation = self.validation(header.alg).ok_or(Refusal::Algorithm)?;
        let signature = token.rsplit('.').next().unwrap_or_default();
        if self.kind.signature_bytes().is_some_and(|bytes| signature.len() != base64_length(bytes)) {
            return Err(Refusal::SignatureLength);
        }
        match decode(token, &self.decoding, validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == ErrorKind::InvalidSignature => Err(Refusal::Signature),
            Err(_) => Err(Refusal::Malformed),
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Option<&Validation> {
        self.uses.iter().find(|(usable, _)| *usable == algorithm).map(|(_, validation)| validation)
    }
}

/// The library would validate the claims by the system clock and in whole seconds; `claims.rs` does it instead.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The length of this many bytes as base64 without padding.
const fn base64_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
