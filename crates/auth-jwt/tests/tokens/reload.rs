//! Each key of `auth` takes effect when the configuration is reloaded, and what cannot be used changes nothing.

use std::time::Duration;

use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{
    Authenticator, ConnectRequest, Namespace,
    config::{Algorithm, Auth},
};
use serde_json::json;

use crate::support::{
    FixedClock, NOW, admits, auth, claims, claims_with,
    issuer::{Issuer, key_set},
    key_server::KeyServer,
};

async fn reload(authenticator: &JwtAuthenticator, auth: Option<&Auth>) {
    let apply = authenticator.reload(auth).await.expect("usable").expect("it changes");
    apply();
}

#[tokio::test]
async fn rules_and_the_place_of_a_token() {
    let issuer = Issuer::new(Algorithm::Es256);
    let settings = issuer.accepted_by(auth());
    let authenticator = JwtAuthenticator::from_config(&settings).await.expect("usable").with_clock(FixedClock::at(NOW));
    let set = async |auth: &Auth| reload(&authenticator, Some(auth)).await;
    let token = issuer.token(&claims());
    assert!(admits(&authenticator, &token).await);

    set(&Auth { issuers: vec!["https://another.example".to_owned()], ..settings.clone() }).await;
    assert!(!admits(&authenticator, &token).await, "auth.issuers");
    set(&Auth { audiences: vec!["another".to_owned()], ..settings.clone() }).await;
    assert!(!admits(&authenticator, &token).await, "auth.audiences");
    set(&Auth { user_claim: "uid".to_owned(), ..settings.clone() }).await;
    assert!(!admits(&authenticator, &token).await, "auth.userClaim");
    set(&Auth { field: "jwt".to_owned(), ..settings.clone() }).await;
    assert!(!admits(&authenticator, &token).await, "auth.field");

    let expired = issuer.token(&claims_with(&json!({ "exp": NOW - 60 })));
    assert!(!admits(&authenticator, &expired).await);
    set(&Auth { leeway: Duration::from_secs(120), ..settings.clone() }).await;
    assert!(admits(&authenticator, &expired).await, "auth.leeway");

    let mut by_header = ConnectRequest::new(Namespace::default());
    by_header.headers.insert("x-token", token.parse().expect("a header"));
    authenticator.authenticate(&by_header).await.expect_err("no token");
    set(&Auth { anonymous: true, ..settings.clone() }).await;
    let guest = authenticator.authenticate(&by_header).await.expect("auth.anonymous");
    assert_eq!(guest.user, None);
    set(&Auth { header: "x-token".to_owned(), ..settings.clone() }).await;
    let ada = authenticator.authenticate(&by_header).await.expect("auth.header");
    assert_eq!(ada.user.expect("a user").as_str(), "ada");
}

#[tokio::test]
async fn algorithms_and_keys_of_every_source() {
    let [old, new] = [Issuer::new(Algorithm::Es256), Issuer::new(Algorithm::Hs256)];
    let authenticator = JwtAuthenticator::from_config(&old.accepted_by(auth())).await.expect("usable");
    let authenticator = authenticator.with_clock(FixedClock::at(NOW));
    let accepts = async |issuer: &Issuer| admits(&authenticator, &issuer.token(&claims())).await;
    assert!(accepts(&old).await && !accepts(&new).await);
    reload(&authenticator, Some(&new.accepted_by(auth()))).await;
    assert!(!accepts(&old).await && accepts(&new).await, "auth.algorithms and auth.secret");
    reload(&authenticator, Some(&old.accepted_by(auth()))).await;
    assert!(accepts(&old).await && !accepts(&new).await, "auth.publicKey");

    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key.pem");
    let (first, second) = (Issuer::another(Algorithm::Es256), Issuer::another(Algorithm::Es256));
    let write = |issuer: &Issuer| std::fs::write(&file, issuer.public.as_deref().expect("public")).expect("written");
    write(&first);
    let key_file = Some(file.to_str().expect("text").to_owned());
    let by_file = Auth { algorithms: vec![Algorithm::Es256], key_file, ..auth() };
    reload(&authenticator, Some(&by_file)).await;
    assert!(accepts(&first).await && !accepts(&second).await, "auth.keyFile");
    write(&second);
    reload(&authenticator, None).await;
    assert!(!accepts(&first).await && accepts(&second).await, "it is read again at once");

    let server = KeyServer::start(&key_set(&[first.jwk(None)])).await;
    let mut by_set = Auth { algorithms: vec![Algorithm::Es256], jwks: Some(server.url.clone()), ..auth() };
    reload(&authenticator, Some(&by_set)).await;
    assert!(accepts(&first).await && !accepts(&second).await, "auth.jwks");

    server.serve(&key_set(&[second.jwk(None)]));
    by_set.jwks_refresh = Duration::from_secs(1);
    let asked = server.asked();
    reload(&authenticator, Some(&by_set)).await;
    assert!(accepts(&second).await);
    let due = async {
        while server.asked() < asked + 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), due).await.expect("auth.jwksRefresh: it is asked every second now");
}

#[tokio::test]
async fn settings_that_cannot_be_used_and_those_that_are_not_applied_change_nothing() {
    let issuer = Issuer::new(Algorithm::Es256);
    let settings = issuer.accepted_by(auth());
    let authenticator = JwtAuthenticator::from_config(&settings).await.expect("usable").with_clock(FixedClock::at(NOW));
    let both = Auth { key_file: Some("/nowhere".to_owned()), ..settings.clone() };
    let missing = Auth { public_key: None, ..both.clone() };
    for (broken, reason) in [(both, "keep one"), (missing, "cannot be read")] {
        let Err(error) = authenticator.reload(Some(&broken)).await else { panic!("{broken:?} is used") };
        assert!(error.to_string().contains(reason), "{error}");
    }
    let others = Auth { issuers: vec!["https://another.example".to_owned()], ..settings };
    drop(authenticator.reload(Some(&others)).await.expect("usable"));
    assert!(admits(&authenticator, &issuer.token(&claims())).await);
}

#[tokio::test]
async fn keys_that_are_read_again_are_in_use_once_they_are_applied_and_not_before() {
    let (first, second) = (Issuer::new(Algorithm::Es256), Issuer::another(Algorithm::Es256));
    let server = KeyServer::start(&key_set(&[first.jwk(None)])).await;
    let by_set = Auth { algorithms: vec![Algorithm::Es256], jwks: Some(server.url.clone()), ..auth() };
    let authenticator = JwtAuthenticator::from_config(&by_set).await.expect("usable").with_clock(FixedClock::at(NOW));
    let accepts = async |issuer: &Issuer| admits(&authenticator, &issuer.token(&claims())).await;

    server.serve(&key_set(&[second.jwk(None)]));
    let older = authenticator.reload(None).await.expect("usable").expect("it changes");
    assert!(accepts(&first).await && !accepts(&second).await, "another part may refuse the reload");
    drop(older);
    assert!(accepts(&first).await && !accepts(&second).await, "it was refused");

    let older = authenticator.reload(None).await.expect("usable").expect("it changes");
    server.serve(&key_set(&[first.jwk(None)]));
    reload(&authenticator, None).await;
    older();
    assert!(accepts(&first).await && !accepts(&second).await, "newer keys were read meanwhile");
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_are_an_error_and_those_from_before_stay() {
    let issuer = Issuer::new(Algorithm::Es256);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key.pem");
    std::fs::write(&file, issuer.public.as_deref().expect("public")).expect("written");
    let key_file = Some(file.to_str().expect("text").to_owned());
    let server = KeyServer::start(&key_set(&[issuer.jwk(None)])).await;
    let by_file = Auth { algorithms: vec![Algorithm::Es256], key_file, ..auth() };
    let by_set = Auth { algorithms: vec![Algorithm::Es256], jwks: Some(server.url.clone()), ..auth() };
    let usable = async |auth: &Auth| JwtAuthenticator::from_config(auth).await.expect("usable");
    let by_file = usable(&by_file).await.with_clock(FixedClock::at(NOW));
    let by_set = usable(&by_set).await.with_clock(FixedClock::at(NOW));
    let refused = async |authenticator: &JwtAuthenticator, reason: &str| {
        let Err(error) = authenticator.reload(None).await else { panic!("not refused: {reason}") };
        assert!(error.to_string().contains(reason), "{error}");
        assert!(admits(authenticator, &issuer.token(&claims())).await, "the key from before: {reason}");
    };

    std::fs::write(&file, "half a k").expect("written");
    refused(&by_file, "auth.keyFile").await;
    std::fs::remove_file(&file).expect("removed");
    refused(&by_file, "cannot be read").await;
    server.serve(&key_set(&[]));
    refused(&by_set, "it is empty").await;
    server.answer_with("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    refused(&by_set, "503").await;
    server.stop().await;
    refused(&by_set, "cannot be reached").await;
}
