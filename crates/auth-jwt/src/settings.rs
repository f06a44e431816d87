//! The validated settings of tokens.

use std::path::PathBuf;

use http::HeaderName;
use roomwire_core::config::{Algorithm, Auth};

use super::{
    JwtError,
    claims::Rules,
    fetch::Fetcher,
    kind::{least_secret, listed},
    source::Source,
    token_place::TokenPlace,
};

/// Consistent settings.
pub(crate) struct Settings {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) source: Source,
    pub(crate) rules: Rules,
    pub(crate) place: TokenPlace,
}

impl Settings {
    /// # Errors
    /// The first missing or contradictory setting.
    pub(crate) fn from_config(auth: &Auth) -> Result<Self, JwtError> {
        let source = source(auth)?;
        check_algorithms(&auth.algorithms, &source)?;
        let header = HeaderName::from_bytes(auth.header.as_bytes()).map_err(|_| JwtError::Settings {
            key: "auth.header",
            problem: format!("{:?} is no name of a header; an example is authorization", auth.header),
        })?;
        Ok(Self {
            algorithms: auth.algorithms.clone(),
            source,
            rules: Rules {
                issuers: auth.issuers.clone(),
                audiences: auth.audiences.clone(),
                leeway: auth.leeway,
                user_claim: auth.user_claim.clone(),
            },
            place: TokenPlace { field: auth.field.clone(), header },
        })
    }
}

/// The only source of keys. With several it would be unclear which one is for which algorithm.
fn source(auth: &Auth) -> Result<Source, JwtError> {
    let Auth { secret, public_key, key_file, jwks, .. } = auth;
    match (secret, public_key, key_file, jwks) {
        (Some(secret), None, None, None) => Ok(Source::Secret(secret.clone())),
        (None, Some(pem), None, None) => Ok(Source::PublicKey(pem.clone())),
        (None, None, Some(path), None) => Ok(Source::KeyFile(PathBuf::from(path))),
        (None, None, None, Some(place)) => jwks_source(place),
        (None, None, None, None) => {
            let problem = "a key is missing: set auth.secret, auth.publicKey, auth.keyFile or auth.jwks".to_owned();
            Err(JwtError::Settings { key: "auth", problem })
        }
        _ => {
            let set = [
                (secret.is_some(), "auth.secret"),
                (public_key.is_some(), "auth.publicKey"),
                (key_file.is_some(), "auth.keyFile"),
                (jwks.is_some(), "auth.jwks"),
            ];
            let set: Vec<_> = set.into_iter().filter_map(|(is_set, key)| is_set.then_some(key)).collect();
            let problem = format!("{} are set; keep one, auth.jwks takes several keys", set.join(" and "));
            Err(JwtError::Settings { key: "auth", problem })
        }
    }
}

fn jwks_source(place: &str) -> Result<Source, JwtError> {
    match place.split_once("://") {
        None => Ok(Source::JwksFile(PathBuf::from(place))),
        Some(("http" | "https", _)) => match Fetcher::new(place) {
            Ok(fetcher) => Ok(Source::JwksUrl(Box::new(fetcher))),
            Err(problem) => Err(JwtError::Settings { key: "auth.jwks", problem }),
        },
        Some((scheme, _)) => {
            let problem =
                format!("{scheme:?} is no scheme that is understood; give an https URL or the path of a file");
            Err(JwtError::Settings { key: "auth.jwks", problem })
        }
    }
}

fn check_algorithms(algorithms: &[Algorithm], source: &Source) -> Result<(), JwtError> {
    let refused = |problem| Err(JwtError::Settings { key: "auth.algorithms", problem });
    if algorithms.is_empty() {
        return refused("none is named; name the one that your issuer signs with, for example [\"RS256\"]".to_owned());
    }
    let (with_secret, with_public): (Vec<_>, Vec<_>) =
        algorithms.iter().copied().partition(|algorithm| least_secret(*algorithm).is_some());
    match source {
        Source::Secret(_) if !with_public.is_empty() => {
            refused(format!("{} need a public key, but auth.secret is set", listed(&with_public)))
        }
        Source::PublicKey(_) if !with_secret.is_empty() => {
            refused(format!("{} need auth.secret; a public key is known to everybody", listed(&with_secret)))
        }
        Source::KeyFile(_) if !with_secret.is_empty() && !with_public.is_empty() => refused(format!(
            "{} need a secret and {} a public key, but auth.keyFile holds one key; name algorithms of one kind",
            listed(&with_secret),
            listed(&with_public)
        )),
        Source::JwksUrl(_) if !with_secret.is_empty() => refused(format!(
            "{} need a secret, which no key set on the network may hold; use auth.secret or a file",
            listed(&with_secret)
        )),
        _ => Ok(()),
    }
}
