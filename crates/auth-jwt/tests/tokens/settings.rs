//! A configuration that cannot work is refused with what to do.

use crate::support::{
    auth,
    issuer::{Issuer, key_set, pem, rsa_of},
    key_server::KeyServer,
};
use aws_lc_rs::rsa::KeySize;
use roomwire_auth_jwt::{JwtAuthenticator, JwtError};
use roomwire_core::config::{Algorithm, Auth};
use tempfile::TempDir;

async fn refused(auth: &Auth) -> JwtError {
    JwtAuthenticator::from_config(auth).await.map(drop).expect_err("refused")
}

async fn told(auth: &Auth) -> String {
    let error = refused(auth).await;
    assert_eq!(format!("{error:?}"), error.to_string(), "a main that returns it shows the same");
    error.to_string()
}

fn by(algorithms: &[Algorithm]) -> Auth {
    Auth { algorithms: algorithms.to_vec(), ..auth() }
}

#[tokio::test]
async fn it_must_be_clear_which_algorithm_uses_which_key() {
    use Algorithm::{EdDsa, Es256, Hs256, Rs256};
    let (rsa, secret) = (Issuer::new(Rs256), Some("0123456789abcdef0123456789abcdef".into()));
    for (auth, problem) in [
        (by(&[Hs256]), "auth: a key is missing: set auth.secret, auth.publicKey, auth.keyFile or auth.jwks"),
        (
            Auth { secret: secret.clone(), ..by(&[]) },
            r#"auth.algorithms: none is named; name the one that your issuer signs with, for example ["RS256"]"#,
        ),
        (
            Auth { secret: secret.clone(), public_key: rsa.public.clone(), ..by(&[Hs256, Rs256]) },
            "auth: auth.secret and auth.publicKey are set; keep one, auth.jwks takes several keys",
        ),
        (
            Auth { secret: secret.clone(), ..by(&[Hs256, Rs256, EdDsa]) },
            "auth.algorithms: RS256, EdDSA need a public key, but auth.secret is set",
        ),
        (
            Auth { public_key: rsa.public.clone(), ..by(&[Hs256, Rs256]) },
            "auth.algorithms: HS256 need auth.secret; a public key is known to everybody",
        ),
        (
            Auth { key_file: Some("no-such-file".to_owned()), ..by(&[Hs256, Rs256]) },
            "auth.algorithms: HS256 need a secret and RS256 a public key, but auth.keyFile holds one key; name algorithms of one kind",
        ),
        (
            Auth { jwks: Some("https://issuer.example/keys".to_owned()), ..by(&[Hs256]) },
            "auth.algorithms: HS256 need a secret, which no key set on the network may hold; use auth.secret or a file",
        ),
        (
            Auth { public_key: rsa.public.clone(), ..by(&[Rs256, Es256]) },
            "auth.publicKey: the text holds an RSA key of 2048 bits, which is for RS256, RS384, RS512, PS256, PS384, PS512, not for ES256 as auth.algorithms says",
        ),
        (
            Auth { header: "no header".to_owned(), secret: secret.clone(), ..by(&[Hs256]) },
            r#"auth.header: "no header" is no name of a header; an example is authorization"#,
        ),
        (
            Auth { jwks: Some("ftp://issuer.example/keys".to_owned()), ..by(&[Rs256]) },
            r#"auth.jwks: "ftp" is no scheme that is understood; give an https URL or the path of a file"#,
        ),
        (
            Auth { jwks: Some("https://me:hunter2@issuer.example/keys".to_owned()), ..by(&[Rs256]) },
            "auth.jwks: is a URL with a user or password in it; key sets are public, leave them out",
        ),
    ] {
        assert_eq!(told(&auth).await, problem);
    }
}

#[tokio::test]
async fn a_secret_is_as_long_as_the_hash_and_does_not_show() {
    for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        let secret = "s".repeat(least - 1);
        let told = told(&Auth { secret: Some(secret.as_str().into()), ..by(&[algorithm]) }).await;
        assert_eq!(
            told,
            format!(
                "auth.secret: the secret has {} bytes; {algorithm} needs at least {least} (RFC 7518, 3.2), for example from openssl rand -base64 {least}",
                least - 1
            )
        );
        assert!(!told.contains(&secret));
        let long = Auth { secret: Some("s".repeat(least).into()), ..by(&[algorithm]) };
        JwtAuthenticator::from_config(&long).await.expect("long enough");
    }
}

#[tokio::test]
async fn a_public_key_is_one_and_public_and_of_a_kind_that_is_understood() {
    let (rsa, elliptic, edwards) =
        (Issuer::new(Algorithm::Rs256), Issuer::new(Algorithm::Es256), Issuer::new(Algorithm::EdDsa));
    let public = rsa.public.clone().expect("has one");
    let on_other_curve = secp256k1();
    for (text, algorithm, problem) in [
        (rsa.private.clone(), Algorithm::Rs256, "holds a private key"),
        (elliptic.private.clone(), Algorithm::Es256, "holds a private key"),
        (edwards.private.clone(), Algorithm::EdDsa, "openssl pkey -in key.pem -pubout"),
        (public.repeat(2), Algorithm::Rs256, "holds 2 PEM blocks, expected one; auth.jwks takes several keys"),
        (pem("CERTIFICATE", &[48, 0]), Algorithm::Rs256, "openssl x509 -in cert.pem -noout -pubkey"),
        (pem("DH PARAMETERS", &[48, 0]), Algorithm::Rs256, "expected -----BEGIN PUBLIC KEY-----"),
        (pem("PUBLIC KEY", &[48, 0]), Algorithm::Rs256, "damaged or of no kind that is understood"),
        (public.replace("-----END", "AAAA\n-----END"), Algorithm::Rs256, "damaged"),
        (on_other_curve, Algorithm::Es256, "on no curve that is understood: P-256, P-384"),
        (
            elliptic.public.clone().expect("has one"),
            Algorithm::Es384,
            "an elliptic curve key on P-256, which is for ES256",
        ),
        (edwards.public.clone().expect("has one"), Algorithm::Rs256, "an Ed25519 key, which is for EdDSA"),
        ("-----BEGIN nothing".to_owned(), Algorithm::Rs256, "holds PEM that is no public key"),
    ] {
        let told = told(&Auth { public_key: Some(text.clone()), ..by(&[algorithm]) }).await;
        assert!(told.starts_with("auth.publicKey: the text holds ") && told.contains(problem), "{told}\n{text}");
    }
    let long = Issuer::rsa(Algorithm::Rs512, rsa_of(KeySize::Rsa3072));
    JwtAuthenticator::from_config(&long.accepted_by(auth())).await.expect("a long key is a good one");
}

#[tokio::test]
async fn a_file_is_there_and_holds_what_the_algorithms_need() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    let file = path.to_str().expect("is text").to_owned();
    let key_file = |algorithm| Auth { key_file: Some(file.clone()), ..by(&[algorithm]) };

    let error = refused(&key_file(Algorithm::Rs256)).await;
    assert!(matches!(error, JwtError::Unreadable { key: "auth.keyFile", .. }));
    assert!(error.to_string().starts_with(&format!("auth.keyFile: {file} cannot be read: No such file")), "{error}");

    let public = Issuer::new(Algorithm::Rs256).public.expect("has one");
    for (content, algorithm, problem) in [
        (public.as_str(), Algorithm::Hs256, "holds PEM, but HS256 take a secret; name the algorithm of the key"),
        ("short\n", Algorithm::Hs256, "has 5 bytes; HS256 needs at least 32"),
        (
            "a secret that is long enough to be one",
            Algorithm::Rs256,
            "holds no PEM; expected -----BEGIN PUBLIC KEY-----",
        ),
        ("", Algorithm::EdDsa, "holds no PEM"),
        (&"x".repeat(300 * 1024), Algorithm::EdDsa, "cannot be read: it is larger than 262144 bytes"),
    ] {
        std::fs::write(&path, content).expect("writes");
        let told = told(&key_file(algorithm)).await;
        assert!(told.starts_with(&format!("auth.keyFile: {file} ")) && told.contains(problem), "{told}");
    }
}

#[tokio::test]
async fn a_key_set_is_there_and_holds_a_key_that_fits() {
    let server = KeyServer::start("").await;
    let auth = Auth { jwks: Some(format!("{}?token=hunter2", server.url)), ..by(&[Algorithm::EdDsa]) };
    let (rsa, secret) = (Issuer::new(Algorithm::Rs256), Issuer::new(Algorithm::Hs256));
    let many = vec![rsa.jwk(None); 101];
    for (content, problem) in [
        (String::new(), "holds no JSON Web Key Set"),
        (r#"{"key":[]}"#.to_owned(), "holds no JSON Web Key Set"),
        (r#"{"keys":[]}"#.to_owned(), "holds no key for EdDSA: it is empty"),
        (
            key_set(&[rsa.jwk(None)]),
            "holds no key for EdDSA: key 1 is an RSA key of 2048 bits, for none of auth.algorithms",
        ),
        (key_set(&[secret.jwk(None)]), "key 1 is a shared secret; whoever can read the set could make tokens"),
        (key_set(&many), "holds 101 keys; up to 100 are allowed"),
    ] {
        server.serve(&content);
        let told = told(&auth).await;
        assert!(told.starts_with(&format!("auth.jwks: {} ", server.url)) && told.contains(problem), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    server.answer_with("HTTP/1.1 301 Moved\r\nlocation: http://localhost/\r\ncontent-length: 0\r\n\r\n");
    assert!(told(&auth).await.ends_with("redirects are not followed, name the address that it leads to"));
    assert_eq!(server.asked(), 7);
    server.stop().await;
    let error = refused(&auth).await;
    assert!(
        matches!(error, JwtError::Unreadable { key: "auth.jwks", .. }) && error.to_string().contains("refused"),
        "{error}"
    );
}

/// The runtime's clock jumps as soon as nothing but the server is waited for.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_not_waited_for_without_end() {
    let server = KeyServer::start("").await;
    server.answer_with("");
    let told = told(&Auth { jwks: Some(server.url.clone()), ..by(&[Algorithm::EdDsa]) }).await;
    assert_eq!(told, format!("auth.jwks: {} did not answer within 3 s", server.url));
}

/// A key on the curve of a well-known currency, which no algorithm of ours is for.
fn secp256k1() -> String {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        signature::{ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
    };
    let pair = EcdsaKeyPair::generate(&ECDSA_P256K1_SHA256_ASN1_SIGNING).expect("makes a key");
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("encodes");
    pem("PUBLIC KEY", public.as_ref())
}
