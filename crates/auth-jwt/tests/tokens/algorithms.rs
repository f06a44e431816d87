//! Each algorithm accepts the tokens of its key and no others.

use crate::support::{FixedClock, NOW, auth, claims, issuer::Issuer, showing};
use jsonwebtoken::{EncodingKey, Header};
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{Authenticator, ErrorCode, Identity, Timestamp, config::Algorithm};

async fn authenticator(issuer: &Issuer) -> JwtAuthenticator {
    let auth = issuer.accepted_by(auth());
    JwtAuthenticator::from_config(&auth).await.expect("accepts the settings").with_clock(FixedClock::at(NOW))
}

async fn shown(authenticator: &JwtAuthenticator, token: &str) -> Result<Identity, ErrorCode> {
    authenticator.authenticate(&showing(token)).await.map_err(|error| error.code())
}

#[tokio::test]
async fn each_algorithm_accepts_its_own_tokens_and_returns_their_user() {
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(*algorithm);
        let identity = shown(&authenticator(&issuer).await, &issuer.token(&claims())).await;
        let identity = identity.unwrap_or_else(|code| panic!("{algorithm}: {code:?}"));
        assert_eq!(identity.user.as_deref(), Some("ada"), "{algorithm}");
        assert_eq!(identity.token.as_deref(), Some("token-1"), "{algorithm}");
        assert_eq!(identity.issued_at, Some(Timestamp::from_millis(NOW * 1000)), "{algorithm}");
        assert_eq!(identity.expires_at, Some(Timestamp::from_millis((NOW + 930) * 1000)), "{algorithm}");
        assert_eq!(serde_json::Value::Object(identity.claims), claims(), "{algorithm}");
    }
}

#[tokio::test]
async fn no_algorithm_accepts_another_key_or_a_token_that_was_changed() {
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(*algorithm);
        let authenticator = authenticator(&issuer).await;
        let foreign = Issuer::another(*algorithm).token(&claims());
        assert_eq!(shown(&authenticator, &foreign).await, Err(ErrorCode::Unauthorized), "{algorithm}");

        let token = issuer.token(&claims());
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        let changed = if parts[1].as_bytes()[10] == b'A' { "B" } else { "A" };
        parts[1].replace_range(10..11, changed);
        assert_eq!(shown(&authenticator, &parts.join(".")).await, Err(ErrorCode::Unauthorized), "{algorithm}");
    }
}

#[tokio::test]
async fn only_configured_algorithms_are_accepted_also_from_the_right_key() {
    let families: [&[Algorithm]; 2] = [
        &[Algorithm::Hs256, Algorithm::Hs384],
        &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512],
    ];
    for family in families {
        let issuer = Issuer::new(family[0]);
        let authenticator = authenticator(&issuer).await;
        for other in &family[1..] {
            let token = Issuer { algorithm: *other, ..issuer.clone() }.token(&claims());
            assert_eq!(shown(&authenticator, &token).await, Err(ErrorCode::Unauthorized), "{other}");
        }
        assert!(shown(&authenticator, &issuer.token(&claims())).await.is_ok());
    }
}

#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let issuer = Issuer::new(algorithm);
        let authenticator = authenticator(&issuer).await;
        let public = issuer.public.clone().expect("has one");
        for secret in [public.as_str(), public.trim_end()] {
            for hash in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let token = Issuer::of_secret(hash, secret).token(&claims());
                assert_eq!(shown(&authenticator, &token).await, Err(ErrorCode::Unauthorized), "{hash} for {algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_brings_its_own_key_is_judged_by_ours() {
    let (issuer, intruder) = (Issuer::new(Algorithm::Es256), Issuer::another(Algorithm::Es256));
    let authenticator = authenticator(&issuer).await;
    let jwk = serde_json::from_value(intruder.jwk(None)).expect("a key");
    let url = Some("http://127.0.0.1:9/keys.json".to_owned());
    let header = Header { jwk: Some(jwk), jku: url.clone(), x5u: url, ..intruder.header() };
    assert_eq!(shown(&authenticator, &intruder.token_by(&header, &claims())).await, Err(ErrorCode::Unauthorized));
}

#[tokio::test]
async fn a_token_that_demands_an_extension_is_refused() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let authenticator = authenticator(&issuer).await;
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..issuer.header() };
    assert_eq!(shown(&authenticator, &issuer.token_by(&header, &claims())).await, Err(ErrorCode::Unauthorized));
}

#[tokio::test]
async fn a_key_id_does_not_matter_where_there_is_one_key_without() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let authenticator = authenticator(&issuer).await;
    assert!(shown(&authenticator, &issuer.token_named("k1", &claims())).await.is_ok());
    let empty = Issuer { signing: EncodingKey::from_secret(b""), ..issuer };
    assert_eq!(shown(&authenticator, &empty.token(&claims())).await, Err(ErrorCode::Unauthorized));
}
