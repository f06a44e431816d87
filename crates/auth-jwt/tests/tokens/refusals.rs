//! Whatever is wrong with a token, the client learns the same from it: nothing. The operator learns the reason.

use std::sync::LazyLock;

use crate::support::{FixedClock, NOW, auth, claims, claims_with, issuer::Issuer, showing};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use proptest::prelude::*;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{
    Authenticator, Clock, ConnectRequest, Error, Identity, Namespace, Payload,
    config::{Algorithm, Auth},
};
use serde_json::json;

async fn authenticator(auth: &Auth) -> JwtAuthenticator {
    JwtAuthenticator::from_config(auth).await.expect("accepts the settings").with_clock(FixedClock::at(NOW))
}

/// Mistakes of which no client may learn more than that it is refused, each with a part of the reason that is logged.
fn mistakes(issuer: &Issuer) -> Vec<(&'static str, ConnectRequest)> {
    let unsigned = [br#"{"alg":"none","typ":"JWT"}"#.as_slice(), claims().to_string().as_bytes()]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let public = issuer.public.as_deref().unwrap_or("what is not the secret, though it is long enough for that");
    vec![
        ("no token, neither", ConnectRequest::new(Namespace::default())),
        ("has expired", showing(&issuer.token(&claims_with(&json!({ "exp": NOW - 60 }))))),
        ("not valid yet", showing(&issuer.token(&claims_with(&json!({ "nbf": NOW + 60 }))))),
        ("signature does not fit", showing(&Issuer::another(issuer.algorithm).token(&claims()))),
        ("is not in auth.audiences", showing(&issuer.token(&claims_with(&json!({ "aud": "another service" }))))),
        ("its algorithm is not supported", showing(&format!("{unsigned}."))),
        (
            if issuer.public.is_some() { "not in auth.algorithms" } else { "does not fit" },
            showing(&Issuer::of_secret(Algorithm::Hs256, public).token(&claims())),
        ),
        ("not in auth.algorithms", showing(&Issuer::new(Algorithm::Es384).token(&claims()))),
        ("signature", showing(issuer.token(&claims()).trim_end_matches(|c| c != '.'))),
        ("not a signed token", showing("hello")),
    ]
}

#[tokio::test]
async fn all_mistakes_have_one_text_for_the_client_and_a_reason_for_the_log() {
    for algorithm in [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let issuer = Issuer::new(algorithm);
        let authenticator = authenticator(&issuer.accepted_by(auth())).await;
        for (mistake, request) in mistakes(&issuer) {
            let error = authenticator.authenticate(&request).await.expect_err(mistake);
            let told = serde_json::to_string(&error).expect("serializes");
            let uniform =
                serde_json::to_string(&Error::new(roomwire_core::ErrorCode::Unauthorized)).expect("serializes");
            assert_eq!(told, uniform, "{algorithm}: {mistake}");
            let reason = std::error::Error::source(&error).expect("has a reason").to_string();
            assert!(reason.contains(mistake), "{algorithm}: {mistake}: {reason}");
        }
    }
}

#[tokio::test]
async fn clients_without_a_token_are_anonymous_if_allowed_and_those_with_an_invalid_one_are_refused() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let auth = Auth { anonymous: true, ..issuer.accepted_by(auth()) };
    let authenticator = authenticator(&auth).await;
    for (mistake, request) in mistakes(&issuer) {
        let answer = authenticator.authenticate(&request).await;
        if mistake.starts_with("no token") {
            assert_eq!(answer.expect("admitted"), Identity::anonymous());
        } else {
            answer.expect_err(mistake);
        }
    }
    authenticator.authenticate(&showing("")).await.expect_err("a token that is empty is not none");
    let ada = authenticator.authenticate(&showing(&issuer.token(&claims()))).await.expect("admitted");
    assert_eq!(ada.user.as_deref(), Some("ada"));
}

#[tokio::test]
async fn a_token_in_the_url_is_not_seen() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let authenticator = authenticator(&issuer.accepted_by(auth())).await;
    let token = issuer.token(&claims());
    let mut request = ConnectRequest::new(Namespace::default());
    request.query =
        format!("EIO=4&transport=websocket&token={token}&access_token={token}&authorization=Bearer%20{token}");
    authenticator.authenticate(&request).await.expect_err("refused");
    request.headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    authenticator.authenticate(&request).await.expect("admitted");
}

#[tokio::test]
async fn a_token_is_refused_from_the_moment_its_expiry_and_the_leeway_are_over() {
    let issuer = Issuer::new(Algorithm::Hs256);
    let clock = FixedClock::at(NOW);
    let authenticator = JwtAuthenticator::from_config(&issuer.accepted_by(auth())).await.expect("accepts");
    let authenticator = authenticator.with_clock(clock.clone());
    let request = showing(&issuer.token(&claims()));
    let identity = authenticator.authenticate(&request).await.expect("admitted");
    clock.set(NOW + 929);
    authenticator.authenticate(&request).await.expect("admitted");
    clock.set(NOW + 930);
    authenticator.authenticate(&request).await.expect_err("expired");
    assert!(identity.is_expired(Clock::now(&clock)), "both ends are the same moment");
}

#[tokio::test]
async fn an_issuer_whose_clock_is_ahead_by_the_default_leeway_is_accepted() {
    let issuer = Issuer::new(Algorithm::Hs256);
    for claim in ["iat", "nbf"] {
        for (ahead, is_accepted) in [(6, true), (30, true), (31, false)] {
            let clock = FixedClock::at(NOW);
            let authenticator = JwtAuthenticator::from_config(&issuer.accepted_by(auth())).await.expect("accepts");
            let authenticator = authenticator.with_clock(clock);
            let mut claims = claims();
            claims[claim] = json!(NOW + ahead);
            let answer = authenticator.authenticate(&showing(&issuer.token(&claims))).await;
            assert_eq!(answer.is_ok(), is_accepted, "{claim} {ahead} s ahead: {answer:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the place of a token: no panic, and no client is accepted.
    #[test]
    fn no_text_is_a_token(texts in proptest::collection::vec(anything_like_a_token(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let authenticator = &authenticator(&issuer().accepted_by(auth())).await;
            for text in texts {
                let payload = json!({ "token": text }).to_string();
                let halved = payload.chars().take(payload.chars().count() / 2).collect::<String>();
                for payload in [payload.as_str(), &halved, &text] {
                    let mut request = ConnectRequest::new(Namespace::default());
                    request.auth = Payload::from_encoded(payload.to_owned().into(), Vec::new());
                    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                        request.headers.insert("authorization", value);
                    }
                    assert!(authenticator.authenticate(&request).await.is_err(), "{text}");
                }
            }
        });
    }
}

/// One issuer for all cases: its key is made once.
fn issuer() -> &'static Issuer {
    static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::EdDsa));
    &ISSUER
}

/// Any text; three parts of any bytes; and a good token from which a piece was cut, replaced or doubled.
fn anything_like_a_token() -> impl Strategy<Value = String> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let header = prop_oneof![
        bytes(),
        (r#"[A-Za-z0-9]{0,6}"#, ".{0,20}")
            .prop_map(|(algorithm, id)| { URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "kid": id }).to_string()) }),
        Just(URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#)),
    ];
    let mutated = (any::<prop::sample::Index>(), 0..8_usize, "[ -~]{0,8}").prop_filter_map(
        "the token itself is accepted",
        |(at, length, new)| {
            let good = issuer().token(&claims());
            let begin = at.index(good.len());
            let end = (begin + length).min(good.len());
            let bad = format!("{}{new}{}", &good[..begin], &good[end..]);
            (bad != good).then_some(bad)
        },
    );
    prop_oneof![
        any::<String>(),
        (header, bytes(), bytes()).prop_map(|(header, claims, signature)| format!("{header}.{claims}.{signature}")),
        mutated,
    ]
}
