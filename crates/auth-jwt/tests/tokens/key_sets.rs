//! Keys that change while the service runs: from a URL.

use std::time::Duration;

use crate::support::{
    FixedClock, NOW, admits, auth, claims, eventually, issuer::Issuer, issuer::key_set, key_server::KeyServer, pass,
    showing,
};
use futures_util::future::join_all;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{
    Authenticator,
    config::{Algorithm, Auth},
};

/// Longer than the pause between two readings that unknown key ids ask for.
const AFTER_A_PAUSE: Duration = Duration::from_secs(11);

async fn authenticator(auth: &Auth) -> JwtAuthenticator {
    JwtAuthenticator::from_config(auth).await.expect("accepts the settings").with_clock(FixedClock::at(NOW))
}

fn keys_at(server: &KeyServer, algorithms: &[Algorithm]) -> Auth {
    Auth { algorithms: algorithms.to_vec(), jwks: Some(server.url.clone()), ..auth() }
}

#[tokio::test]
async fn a_token_is_checked_by_the_key_that_it_names() {
    let (old, new) = (Issuer::new(Algorithm::Es256), Issuer::another(Algorithm::Es256));
    let rsa = Issuer::new(Algorithm::Rs256);
    let server = KeyServer::start(&key_set(&[old.jwk(Some("old")), new.jwk(Some("new")), rsa.jwk(Some("old"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::Es256, Algorithm::Rs256])).await;
    for (token, is_good) in [
        (old.token_named("old", &claims()), true),
        (new.token_named("new", &claims()), true),
        (rsa.token_named("old", &claims()), true),
        (rsa.token(&claims()), true),
        (old.token_named("new", &claims()), false),
        (old.token(&claims()), false),
        (rsa.token_named("new", &claims()), false),
    ] {
        assert_eq!(admits(&authenticator, &token).await, is_good, "{token}");
    }
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_when_a_token_names_it_and_one_that_is_gone_is_not_used() {
    let (old, new) = (Issuer::new(Algorithm::EdDsa), Issuer::another(Algorithm::EdDsa));
    let server = KeyServer::start(&key_set(&[old.jwk(Some("old"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::EdDsa])).await;
    assert!(admits(&authenticator, &old.token_named("old", &claims())).await);
    server.serve(&key_set(&[new.jwk(Some("new"))]));
    pass(AFTER_A_PAUSE).await;
    assert!(admits(&authenticator, &new.token_named("new", &claims())).await);
    assert!(!admits(&authenticator, &old.token_named("old", &claims())).await);
}

#[tokio::test]
async fn keys_are_read_again_in_time_and_no_more_once_the_authenticator_is_gone() {
    let (old, new) = (Issuer::new(Algorithm::EdDsa), Issuer::another(Algorithm::EdDsa));
    let mut server = KeyServer::start(&key_set(&[old.jwk(None)])).await;
    let auth = Auth { jwks_refresh: Duration::from_secs(60), ..keys_at(&server, &[Algorithm::EdDsa]) };
    let authenticator = authenticator(&auth).await;
    server.serve(&key_set(&[new.jwk(None)]));
    // Without a key id, only time can tell that the key is another one.
    assert!(!admits(&authenticator, &new.token(&claims())).await);
    pass(Duration::from_secs(61)).await;
    server.until_asked(2).await;
    eventually(async || admits(&authenticator, &new.token(&claims())).await).await;
    assert!(!admits(&authenticator, &old.token(&claims())).await);

    drop(authenticator);
    pass(Duration::from_secs(600)).await;
    // The next one that asks is counted after all that the old one could have asked.
    JwtAuthenticator::from_config(&auth).await.expect("accepts the settings");
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_storm_of_unknown_key_ids_has_the_keys_fetched_once_in_ten_seconds() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let server = KeyServer::start(&key_set(&[issuer.jwk(Some("k"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::EdDsa])).await;
    for round in 1..=3 {
        pass(AFTER_A_PAUSE).await;
        let tokens: Vec<_> =
            (0..200).map(|number| issuer.token_named(&format!("{round}-{number}"), &claims())).collect();
        let requests: Vec<_> = tokens.iter().map(|token| showing(token)).collect();
        // All at once, and then one after another.
        let answers = join_all(requests.iter().map(|request| authenticator.authenticate(request))).await;
        assert!(answers.iter().all(Result::is_err));
        for token in tokens {
            assert!(!admits(&authenticator, &token).await);
        }
        assert_eq!(server.asked(), 1 + round, "one at the start and one a round");
    }
    assert!(admits(&authenticator, &issuer.token_named("k", &claims())).await);
}

#[tokio::test]
async fn clients_that_leave_while_keys_are_fetched_do_not_have_them_fetched_again() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let mut server = KeyServer::start(&key_set(&[issuer.jwk(Some("k"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::EdDsa])).await;
    pass(AFTER_A_PAUSE).await;
    server.answer_with("");
    let request = showing(&issuer.token_named("unknown", &claims()));
    {
        let mut asking = std::pin::pin!(authenticator.authenticate(&request));
        tokio::select! {
            answer = &mut asking => panic!("the server does not answer, yet: {answer:?}"),
            () = server.until_asked(2) => {}
        }
    }
    for _ in 0..50 {
        let left = tokio::time::timeout(Duration::ZERO, authenticator.authenticate(&request)).await;
        assert!(left.is_err(), "waits for the fetch that is under way");
    }
    assert!(admits(&authenticator, &issuer.token_named("k", &claims())).await, "who needs no fetch does not wait");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn the_keys_from_before_stay_while_new_ones_cannot_be_had() {
    let (issuer, new) = (Issuer::new(Algorithm::EdDsa), Issuer::another(Algorithm::EdDsa));
    let server = KeyServer::start(&key_set(&[issuer.jwk(Some("k"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::EdDsa])).await;
    let long = "x".repeat(300 * 1024);
    let bad = [
        crate::support::key_server::ok("<html>"),
        crate::support::key_server::ok(r#"{"keys":[]}"#),
        crate::support::key_server::ok(&key_set(&[Issuer::new(Algorithm::Hs256).jwk(Some("new"))])),
        crate::support::key_server::ok(&long),
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\nconnection: close\r\n\r\n{".to_owned(),
        "nothing like HTTP\r\n\r\n".to_owned(),
    ];
    for (number, answer) in bad.iter().enumerate() {
        server.answer_with(answer);
        pass(AFTER_A_PAUSE).await;
        assert!(!admits(&authenticator, &new.token_named("new", &claims())).await);
        assert_eq!(server.asked(), number + 2, "it was asked");
        assert!(admits(&authenticator, &issuer.token_named("k", &claims())).await, "{answer:.60}");
    }
    server.serve(&key_set(&[new.jwk(Some("new"))]));
    pass(AFTER_A_PAUSE).await;
    assert!(admits(&authenticator, &new.token_named("new", &claims())).await, "and it is asked again");
}

#[tokio::test]
async fn the_keys_from_before_stay_while_the_server_is_down() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let server = KeyServer::start(&key_set(&[issuer.jwk(Some("k"))])).await;
    let authenticator = authenticator(&keys_at(&server, &[Algorithm::EdDsa])).await;
    server.stop().await;
    pass(AFTER_A_PAUSE).await;
    assert!(!admits(&authenticator, &issuer.token_named("unknown", &claims())).await);
    assert!(admits(&authenticator, &issuer.token_named("k", &claims())).await);
}
