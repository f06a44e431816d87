//! Types of keys, and the algorithms that each supports.

use std::fmt;

use jsonwebtoken::Algorithm as LibraryAlgorithm;
use roomwire_core::config::Algorithm;

/// A type of key, with the parameter that determines the length of its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A shared secret of this many bytes.
    Secret(usize),
    /// RSA with a modulus of this many bytes.
    Rsa(usize),
    P256,
    P384,
    Ed25519,
}

impl Kind {
    /// Whether such a key can verify tokens of this algorithm. A secret must be as long as the hash (RFC 7518, 3.2). No
    /// algorithm matches two types, which prevents a public key from being used as a secret.
    pub(crate) fn fits(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Secret(bytes) => least_secret(algorithm).is_some_and(|least| bytes >= least),
            Self::Rsa(_) => matches!(
                algorithm,
                Algorithm::Rs256
                    | Algorithm::Rs384
                    | Algorithm::Rs512
                    | Algorithm::Ps256
                    | Algorithm::Ps384
                    | Algorithm::Ps512
            ),
            Self::P256 => algorithm == Algorithm::Es256,
            Self::P384 => algorithm == Algorithm::Es384,
            Self::Ed25519 => algorithm == Algorithm::EdDsa,
        }
    }

    /// The possible lengths of a signature, in bytes. Secrets produce signatures of several lengths, which take equally
    /// long to verify.
    pub(crate) fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::Secret(_) => None,
            Self::Rsa(modulus) => Some(modulus),
            Self::P256 | Self::Ed25519 => Some(64),
            Self::P384 => Some(96),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(bytes) => write!(f, "a secret of {bytes} bytes"),
            Self::Rsa(bytes) => write!(f, "an RSA key of {} bits", bytes * 8),
            Self::P256 => f.write_str("an elliptic curve key on P-256"),
            Self::P384 => f.write_str("an elliptic curve key on P-384"),
            Self::Ed25519 => f.write_str("an Ed25519 key"),
        }
    }
}

/// The minimum length of a secret for this algorithm, in bytes: that of its hash. `None` if it uses no secret.
pub(crate) fn least_secret(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

/// The algorithm in the library.
pub(crate) fn in_library(algorithm: Algorithm) -> LibraryAlgorithm {
    match algorithm {
        Algorithm::Hs256 => LibraryAlgorithm::HS256,
        Algorithm::Hs384 => LibraryAlgorithm::HS384,
        Algorithm::Hs512 => LibraryAlgorithm::HS512,
        Algorithm::Rs256 => LibraryAlgorithm::RS256,
        Algorithm::Rs384 => LibraryAlgorithm::RS384,
        Algorithm::Rs512 => LibraryAlgorithm::RS512,
        Algorithm::Ps256 => LibraryAlgorithm::PS256,
        Algorithm::Ps384 => LibraryAlgorithm::PS384,
        Algorithm::Ps512 => LibraryAlgorithm::PS512,
        Algorithm::Es256 => LibraryAlgorithm::ES256,
        Algorithm::Es384 => LibraryAlgorithm::ES384,
        Algorithm::EdDsa => LibraryAlgorithm::EdDSA,
    }
}

/// Algorithms as text for people.
pub(crate) fn listed(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
