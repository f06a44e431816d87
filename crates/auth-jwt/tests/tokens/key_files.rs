//! Keys in files, which are replaced while the service runs.

use std::{fs, path::Path, time::Duration};

use crate::support::{
    Counters, FixedClock, NOW, admits, auth, claims, eventually,
    issuer::{Issuer, key_set},
    pass,
};
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::config::{Algorithm, Auth};
use serde_json::{Value, json};
use tempfile::TempDir;

const REFRESH: Duration = Duration::from_secs(60);

async fn authenticator(auth: Auth) -> JwtAuthenticator {
    let auth = Auth { jwks_refresh: REFRESH, ..auth };
    JwtAuthenticator::from_config(&auth).await.expect("accepts the settings").with_clock(FixedClock::at(NOW))
}

fn write(folder: &TempDir, content: &str) -> String {
    let path = folder.path().join("keys");
    replace(&path, content);
    path.to_str().expect("is text").to_owned()
}

/// As configuration management does it: never half a file.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).expect("writes");
    fs::rename(new, path).expect("renames");
}

/// A file with this content is used, replaced by that one, broken, and mended.
async fn rotates(auth: Auth, [old, new]: [(&Issuer, String); 2], folder: &TempDir) {
    let counters = Counters::default();
    let _counting = counters.count();
    let path = folder.path().join("keys");
    let authenticator = authenticator(auth).await;
    assert!(admits(&authenticator, &old.0.token(&claims())).await);
    assert!(!admits(&authenticator, &new.0.token(&claims())).await);

    replace(&path, &new.1);
    pass(REFRESH).await;
    eventually(async || admits(&authenticator, &new.0.token(&claims())).await).await;
    assert!(!admits(&authenticator, &old.0.token(&claims())).await);

    let (token_of_old, token_of_new) = (old.0.token(&claims()), new.0.token(&claims()));
    replace(&path, "");
    for _ in 0..5 {
        pass(REFRESH).await;
        // Gives a reading time; it passes as well when there was none.
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(admits(&authenticator, &token_of_new).await, "the keys from before stay");
    }
    assert!(counters.of("roomwire_jwt_key_refreshes_total(ok)") >= 1);
    eventually(async || counters.of("roomwire_jwt_key_refreshes_total(failed)") >= 1).await;
    replace(&path, &old.1);
    // A reading that failed is repeated soon.
    let is_back = async || {
        pass(Duration::from_secs(20)).await;
        admits(&authenticator, &token_of_old).await
    };
    eventually(is_back).await;
}

#[tokio::test]
async fn a_public_key_in_a_file_is_replaced_without_a_restart() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let (old, new) = (Issuer::new(algorithm), Issuer::another(algorithm));
        let public = |issuer: &Issuer| issuer.public.clone().expect("has one");
        let folder = TempDir::new().expect("a folder");
        let file = write(&folder, &public(&old));
        let auth = Auth { algorithms: vec![algorithm], key_file: Some(file), ..auth() };
        rotates(auth, [(&old, public(&old)), (&new, public(&new))], &folder).await;
    }
}

#[tokio::test]
async fn a_secret_in_a_file_is_replaced_without_a_restart_and_its_line_end_does_not_count() {
    let (old, new) = (Issuer::new(Algorithm::Hs256), Issuer::another(Algorithm::Hs256));
    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, &format!("{}\n", old.private));
    let auth = Auth { algorithms: vec![Algorithm::Hs256], key_file: Some(file), ..auth() };
    let contents = [(&old, format!("{}\r\n", old.private)), (&new, new.private.clone())];
    rotates(auth, contents, &folder).await;
}

#[tokio::test]
async fn a_key_set_in_a_file_is_replaced_without_a_restart_and_may_hold_secrets() {
    for algorithm in [Algorithm::Hs256, Algorithm::Ps384] {
        let (old, new) = (Issuer::new(algorithm), Issuer::another(algorithm));
        let set = |issuer: &Issuer| key_set(&[issuer.jwk(None)]);
        let folder = TempDir::new().expect("a folder");
        let file = write(&folder, &set(&old));
        let auth = Auth { algorithms: vec![algorithm], jwks: Some(file), ..auth() };
        rotates(auth, [(&old, set(&old)), (&new, set(&new))], &folder).await;
    }
}

#[tokio::test]
async fn a_key_is_used_as_it_says_itself_and_one_that_is_not_understood_spoils_no_other() {
    let issuer = Issuer::new(Algorithm::Rs256);
    let with = |changes: Value| {
        let mut key = issuer.jwk(Some("k"));
        for (name, value) in changes.as_object().expect("an object") {
            key[name] = value.clone();
        }
        key["alg"].is_null().then(|| key.as_object_mut().expect("an object").remove("alg"));
        key
    };
    for (key, is_used) in [
        (with(json!({})), true),
        (with(json!({ "alg": null })), true),
        (with(json!({ "use": "sig", "key_ops": ["verify"], "x5t": "whatever" })), true),
        (with(json!({ "alg": "RS512" })), false),
        (with(json!({ "alg": "RSA-OAEP" })), false),
        (with(json!({ "use": "enc" })), false),
        (with(json!({ "key_ops": ["encrypt"] })), false),
        (with(json!({ "kty": "EC" })), false),
        (with(json!({ "d": "AQAB" })), false),
        (with(json!({ "n": "AQAB" })), false),
        (with(json!({ "e": "AQ" })), false),
        (with(json!({ "n": 7 })), false),
        (json!({ "kty": "AKP", "alg": "ML-DSA-65", "kid": "k", "pub": "AQAB" }), false),
        (json!("k"), false),
    ] {
        let folder = TempDir::new().expect("a folder");
        let other = Issuer::new(Algorithm::Es256);
        let file = write(&folder, &key_set(&[key.clone(), other.jwk(Some("other"))]));
        let auth = Auth { algorithms: vec![Algorithm::Rs256, Algorithm::Es256], jwks: Some(file), ..auth() };
        let authenticator = authenticator(auth).await;
        assert_eq!(admits(&authenticator, &issuer.token_named("k", &claims())).await, is_used, "{key}");
        assert!(admits(&authenticator, &other.token_named("other", &claims())).await, "{key}");
    }
}
