//! A public key as PEM.

use aws_lc_rs::{
    rsa::PublicKey,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents},
};
use jsonwebtoken::DecodingKey;

use super::kind::Kind;

/// The beginning of every PEM.
pub(crate) const BEGIN: &str = "-----BEGIN ";

/// Parses the single public key in the text.
///
/// # Errors
/// What is wrong with it, and what to do, as text that follows "is" or "holds".
pub(crate) fn read(text: &str) -> Result<(Kind, DecodingKey), String> {
    let labels: Vec<_> =
        text.split(BEGIN).skip(1).map(|rest| rest.split_once("-----").map_or("", |(label, _)| label)).collect();
    match labels[..] {
        [] => return Err("holds no PEM; expected -----BEGIN PUBLIC KEY-----".to_owned()),
        ["PUBLIC KEY" | "RSA PUBLIC KEY"] => {}
        [label] if label.ends_with("PRIVATE KEY") => {
            return Err(
                "holds a private key, which no server that only checks tokens should have; give the public one: \
                        openssl pkey -in key.pem -pubout"
                    .to_owned(),
            );
        }
        ["CERTIFICATE"] => {
            return Err(
                "holds a certificate; give the public key in it: openssl x509 -in cert.pem -noout -pubkey".to_owned()
            );
        }
        [_] => return Err("holds PEM that is no public key; expected -----BEGIN PUBLIC KEY-----".to_owned()),
        _ => return Err(format!("holds {} PEM blocks, expected one; auth.jwks takes several keys", labels.len())),
    }
    let bytes = text.as_bytes();
    // Each of these rejects the types of the others.
    if let Ok(key) = DecodingKey::from_rsa_pem(bytes) {
        let der = key.try_get_as_bytes().map_err(damaged)?;
        let public = PublicKey::from_der(der).map_err(damaged)?;
        let components = RsaPublicKeyComponents::<Vec<u8>>::from(&public);
        return rsa(&components.n, &components.e);
    }
    if let Ok(key) = DecodingKey::from_ec_pem(bytes) {
        let kind = curve(key.try_get_as_bytes().map_err(damaged)?)?;
        return Ok((kind, key));
    }
    let key = DecodingKey::from_ed_pem(bytes).map_err(
        |_| "holds a public key that is damaged or of no kind that is understood: RSA, P-256, P-384, Ed25519",
    )?;
    edwards(key.try_get_as_bytes().map_err(damaged)?)?;
    Ok((Kind::Ed25519, key))
}

/// An RSA key with these parameters. Short ones are insecure, and huge ones would make each verification slow.
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<(Kind, DecodingKey), String> {
    let modulus = without_zeros(modulus);
    let exponent = without_zeros(exponent);
    if !(256..=1024).contains(&modulus.len()) {
        return Err(format!("holds an RSA key of about {} bits; 2048 to 8192 are allowed", modulus.len() * 8));
    }
    let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    if exponent.len() > 4 || exponent == [1] || !is_odd {
        return Err("holds an RSA key with an exponent that is not allowed".to_owned());
    }
    Ok((Kind::Rsa(modulus.len()), DecodingKey::from_rsa_raw_components(modulus, exponent)))
}

/// The curve of an uncompressed point.
pub(crate) fn curve(point: &[u8]) -> Result<Kind, String> {
    let fits = |algorithm| ParsedPublicKey::new(algorithm, point).is_ok();
    match point.len() {
        65 if fits(&ECDSA_P256_SHA256_FIXED) => Ok(Kind::P256),
        97 if fits(&ECDSA_P384_SHA384_FIXED) => Ok(Kind::P384),
        _ => {
            Err("holds an elliptic curve key that is damaged or on no curve that is understood: P-256, P-384"
                .to_owned())
        }
    }
}

/// Rejects everything but an Ed25519 key.
pub(crate) fn edwards(point: &[u8]) -> Result<(), String> {
    match ParsedPublicKey::new(&ED25519, point) {
        Ok(_) => Ok(()),
        Err(_) => Err("holds an Ed25519 key that is damaged".to_owned()),
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn damaged<E>(_: E) -> String {
    "holds a public key that is damaged".to_owned()
}
