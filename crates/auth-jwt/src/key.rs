//! A key by which tokens are checked, with the algorithms that may use it.

use std::hint::black_box;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, errors::ErrorKind};
use roomwire_core::{Metadata, config};

use super::{
    kind::{Kind, in_library},
    refusal::Refusal,
};

/// As large as the claims of most tokens.
const DECOY_CLAIMS: &str = r#"{"iss":"https://issuer.example","sub":"nobody","aud":"nothing","jti":"00000000","iat":1700000000,"nbf":1700000000,"exp":1700000000,"scope":["none"]}"#;

/// A key, parsed once.
pub(crate) struct Key {
    /// Its name in a key set.
    id: Option<String>,
    kind: Kind,
    decoding: DecodingKey,
    /// The algorithms it may be used with, and how the library is to check these. Never empty.
    uses: Vec<(Algorithm, Validation)>,
    /// A token whose signature is of the right length and wrong.
    decoy: String,
}

impl Key {
    /// A key for those of these algorithms that fit its kind. Nothing when none does.
    pub(crate) fn new(
        id: Option<String>,
        kind: Kind,
        decoding: DecodingKey,
        algorithms: &[config::Algorithm],
    ) -> Option<Self> {
        let fitting = algorithms.iter().filter(|algorithm| kind.fits(**algorithm));
        let uses: Vec<_> =
            fitting.map(|algorithm| in_library(*algorithm)).map(|name| (name, signature_only(name))).collect();
        let decoy = decoy(uses.first()?.0, kind);
        Some(Self { id, kind, decoding, uses, decoy })
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.validation(algorithm).is_some()
    }

    /// The claims of a token, once its signature is verified. They are not looked at.
    pub(crate) fn verify(&self, token: &str, header: &Header) -> Result<Metadata, Refusal> {
        let validation = self.validation(header.alg).ok_or(Refusal::Algorithm)?;
        let signature = token.rsplit('.').next().unwrap_or_default();
        if self.kind.signature_bytes().is_some_and(|bytes| signature.len() != base64_length(bytes)) {
            return Err(Refusal::SignatureLength);
        }
        match decode(token, &self.decoding, validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == ErrorKind::InvalidSignature => {
                // A token with a good signature and bad claims has them parsed.
                let _ = black_box(serde_json::from_str::<Metadata>(black_box(DECOY_CLAIMS)));
                Err(Refusal::Signature)
            }
            Err(_) => Err(Refusal::Malformed),
        }
    }

    /// Takes about as long as a token whose signature is wrong.
    pub(crate) fn verify_decoy(&self) {
        let decoy = black_box(self.decoy.as_str());
        if let Ok(header) = decode_header(decoy) {
            let _ = black_box(self.verify(decoy, &header));
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Option<&Validation> {
        self.uses.iter().find(|(usable, _)| *usable == algorithm).map(|(_, validation)| validation)
    }
}

/// The library would judge the claims by the machine's clock and in whole seconds; `claims.rs` does.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// How long so many bytes are as base64 without padding.
const fn base64_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// The numbers in the signature are in the range of every key, so that the whole computation is done for it.
fn decoy(algorithm: Algorithm, kind: Kind) -> String {
    let header = format!(r#"{{"typ":"JWT","alg":"{algorithm:?}"}}"#);
    let signature = vec![1; kind.signature_bytes().unwrap_or(32)];
    [header.as_bytes(), DECOY_CLAIMS.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}
