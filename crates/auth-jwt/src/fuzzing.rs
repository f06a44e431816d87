//! Fuzz entry points; compiled only with `--cfg fuzzing`.

use roomwire_core::config::Algorithm;

use crate::{
    key_set::{KeySet, Secrets},
    pem,
};

/// Keys of every type, as in a file or a key set.
pub fn keys(text: &str) {
    let all = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];
    for secrets in [Secrets::Allowed, Secrets::Refused] {
        if let Ok(keys) = KeySet::from_jwks(text.as_bytes(), &all, secrets) {
            assert!(keys.len() > 0, "a set without keys is refused");
        }
    }
    let _ = pem::read(text);
}
