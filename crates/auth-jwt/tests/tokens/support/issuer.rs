//! An issuer of tokens with a key of its own.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm as LibraryAlgorithm, EncodingKey, Header, encode, jwk::Jwk};
use roomwire_core::config::{Algorithm, Auth};
use serde_json::{Value, json};

/// A key with which tokens are signed, and its public side.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) algorithm: Algorithm,
    pub(crate) signing: EncodingKey,
    /// The public key as PEM; nothing when the key is a secret.
    pub(crate) public: Option<String>,
    pub(crate) private: String,
    pub(crate) secret: Option<String>,
}

/// RSA keys take long to make: these are made once. The second one is another issuer's.
static RSA: [LazyLock<(String, String)>; 2] = [LazyLock::new(rsa), LazyLock::new(rsa)];

fn rsa() -> (String, String) {
    rsa_of(KeySize::Rsa2048)
}

pub(crate) fn rsa_of(size: KeySize) -> (String, String) {
    let pair = aws_lc_rs::rsa::KeyPair::generate(size).expect("makes a key");
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("encodes");
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("encodes");
    (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
}

impl Issuer {
    /// An issuer that signs by this algorithm; RSA keys are the first of two.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self::numbered(algorithm, 0)
    }

    /// An issuer with another key than that of [`new`](Self::new).
    pub(crate) fn another(algorithm: Algorithm) -> Self {
        Self::numbered(algorithm, 1)
    }

    fn numbered(algorithm: Algorithm, number: usize) -> Self {
        match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                let secret =
                    pem("SECRET", &aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &random()).as_ref()[..48]);
                let secret = secret.lines().nth(1).expect("one line").to_owned();
                Self::of_secret(algorithm, &secret)
            }
            Algorithm::Es256 => Self::elliptic(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => Self::elliptic(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().expect("makes a key");
                let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("encodes");
                let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("encodes");
                Self {
                    algorithm,
                    signing: EncodingKey::from_ed_der(private.as_ref()),
                    public: Some(pem("PUBLIC KEY", public.as_ref())),
                    private: pem("PRIVATE KEY", private.as_ref()),
                    secret: None,
                }
            }
            _ => Self::rsa(algorithm, RSA[number].clone()),
        }
    }

    /// An issuer that signs by this secret.
    pub(crate) fn of_secret(algorithm: Algorithm, secret: &str) -> Self {
        Self {
            algorithm,
            signing: EncodingKey::from_secret(secret.as_bytes()),
            public: None,
            private: secret.to_owned(),
            secret: Some(secret.to_owned()),
        }
    }

    pub(crate) fn rsa(algorithm: Algorithm, (private, public): (String, String)) -> Self {
        let signing = EncodingKey::from_rsa_pem(private.as_bytes()).expect("an RSA key");
        Self { algorithm, signing, public: Some(public), private, secret: None }
    }

    fn elliptic(algorithm: Algorithm, curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).expect("makes a key");
        let private = pair.to_pkcs8v1().expect("encodes");
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("encodes");
        Self {
            algorithm,
            signing: EncodingKey::from_ec_der(private.as_ref()),
            public: Some(pem("PUBLIC KEY", public.as_ref())),
            private: pem("PRIVATE KEY", private.as_ref()),
            secret: None,
        }
    }

    /// Settings that accept this issuer's tokens.
    pub(crate) fn accepted_by(&self, auth: Auth) -> Auth {
        Auth {
            algorithms: vec![self.algorithm],
            secret: self.secret.as_deref().map(Into::into),
            public_key: self.public.clone(),
            ..auth
        }
    }

    /// A token that says this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_by(&self.header(), claims)
    }

    /// A token signed by the key of this id.
    pub(crate) fn token_named(&self, id: &str, claims: &Value) -> String {
        self.token_by(&Header { kid: Some(id.to_owned()), ..self.header() }, claims)
    }

    pub(crate) fn token_by(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.signing).expect("signs")
    }

    pub(crate) fn header(&self) -> Header {
        Header::new(self.in_library())
    }

    fn in_library(&self) -> LibraryAlgorithm {
        self.algorithm.as_str().parse().expect("the library knows it")
    }

    /// The public key for a key set.
    pub(crate) fn jwk(&self, id: Option<&str>) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.signing, self.in_library()).expect("has a public key");
        jwk.common.key_id = id.map(str::to_owned);
        serde_json::to_value(jwk).expect("serializes")
    }
}

/// A key set of these.
pub(crate) fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("has random bytes");
    bytes
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("is text")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
