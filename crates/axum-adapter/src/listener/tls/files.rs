//! From two files to what TLS needs.

use std::{fs::File, io::Read, sync::Arc};

use roomwire_core::config::Tls;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    version::{TLS12, TLS13},
};

use super::TlsError;

const CERT: &str = "tls.cert";
const KEY: &str = "tls.key";

/// A chain of certificates, or a key, is a few thousand bytes.
const LARGEST: u64 = 1 << 20;

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    cert: String,
    key: String,
}

/// What stands in both, at one time or nearly so.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    pub(super) fn named_by(tls: &Tls) -> Result<Self, TlsError> {
        let cert =
            tls.cert.clone().ok_or_else(|| TlsError::unset(CERT, "name the file with the certificate as PEM"))?;
        let key = tls
            .key
            .clone()
            .ok_or_else(|| TlsError::unset(KEY, "name the file with the certificate's private key as PEM"))?;
        Ok(Self { cert, key })
    }

    /// Blocks the thread.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents { cert: read(CERT, &self.cert)?, key: read(KEY, &self.key)? })
    }

    /// Checks that the two belong together.
    pub(super) fn config(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
        let chain = self.chain(&contents.cert)?;
        let key = self.private_key(&contents.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::new(CERT, &self.cert, error.to_string()))?
            .with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).map_err(|error| self.unfit(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn chain(&self, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match chain {
            Ok(chain) if chain.is_empty() => Err(TlsError::new(
                CERT,
                &self.cert,
                "holds no certificate; expected PEM with -----BEGIN CERTIFICATE-----, the server's own first",
            )),
            Ok(chain) => Ok(chain),
            Err(error) => Err(TlsError::new(CERT, &self.cert, format!("is no sound PEM: {error}"))),
        }
    }

    fn private_key(&self, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
            let problem = match error {
                pem::Error::NoItemsFound if contains(pem, b"BEGIN ENCRYPTED PRIVATE KEY") => {
                    "holds an encrypted key; decrypt it, for example with `openssl pkey`".to_owned()
                }
                pem::Error::NoItemsFound => {
                    "holds no private key; expected PEM with -----BEGIN PRIVATE KEY-----".to_owned()
                }
                // What the file holds must not show: only what kind of mistake it is.
                pem::Error::Base64Decode(_) => "is no sound PEM: what stands there is no base64".to_owned(),
                pem::Error::MissingSectionEnd { .. } => "is no sound PEM: the end is missing".to_owned(),
                _ => "is no sound PEM".to_owned(),
            };
            TlsError::new(KEY, &self.key, problem)
        })
    }

    fn unfit(&self, error: &rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::new(KEY, &self.key, format!("is not the key of the certificate in {:?}", self.cert))
            }
            rustls::Error::InvalidCertificate(error) => {
                TlsError::new(CERT, &self.cert, format!("holds no usable certificate: {error}"))
            }
            _ => TlsError::new(
                KEY,
                &self.key,
                format!("holds no usable key: {error}; RSA, P-256, P-384 and Ed25519 keys are"),
            ),
        }
    }

    /// The thread that read ended before it was done.
    pub(super) fn interrupted(&self, error: &tokio::task::JoinError) -> TlsError {
        TlsError::new(CERT, &self.cert, format!("could not be read: {error}"))
    }
}

fn read(key: &'static str, file: &str) -> Result<Vec<u8>, TlsError> {
    let failed =
        |error| TlsError::new(key, file, format!("cannot be read: {error}; check the path and its permissions"));
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(TlsError::new(key, file, "is larger than 1 MiB, which no such file is"));
    }
    Ok(bytes)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use roomwire_core::config::Tls;
    use tempfile::TempDir;

    use super::Files;

    struct Pair {
        cert: String,
        key: String,
    }

    fn pair() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
        Pair { cert: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn files(directory: &Path, cert: &str, key: &str) -> Files {
        let path = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).expect("written");
            Some(path.to_str().expect("text").to_owned())
        };
        let tls = Tls { cert: path("cert.pem", cert), key: path("key.pem", key), ..Tls::default() };
        Files::named_by(&tls).expect("named")
    }

    fn refusal(cert: &str, key: &str) -> String {
        let directory = TempDir::new().expect("a directory");
        let files = files(directory.path(), cert, key);
        let error = files.read().and_then(|contents| files.config(&contents)).expect_err("refused");
        assert_eq!(format!("{error:?}"), error.to_string());
        error.to_string().replace(&format!("{}/", directory.path().display()), "")
    }

    #[test]
    fn a_certificate_with_its_key_is_accepted_with_text_around_it() {
        let directory = TempDir::new().expect("a directory");
        let Pair { cert, key } = pair();
        let files = files(directory.path(), &format!("subject=localhost\n{cert}{}", pair().cert), &key);
        let config = files.read().and_then(|contents| files.config(&contents)).expect("fits");
        assert_eq!(config.alpn_protocols, [b"http/1.1"]);
    }

    #[test]
    fn each_mistake_is_told_with_key_file_and_what_is_wrong() {
        let Pair { cert, key } = pair();
        for (cert, key, text) in [
            (
                "",
                &*key,
                r#"tls.cert = "cert.pem": holds no certificate; expected PEM with -----BEGIN CERTIFICATE-----"#,
            ),
            (&*key, &*key, r#"tls.cert = "cert.pem": holds no certificate"#),
            (
                "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                &*key,
                r#"tls.cert = "cert.pem": is no sound PEM"#,
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &*key,
                r#"tls.cert = "cert.pem": holds no usable"#,
            ),
            (&*cert, &*cert, r#"tls.key = "key.pem": holds no private key; expected PEM with"#),
            (&*cert, &pair().key, r#"tls.key = "key.pem": is not the key of the certificate in "cert.pem""#),
            (
                &*cert,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                r#"tls.key = "key.pem": holds no usable key"#,
            ),
            (
                &*cert,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                r#"tls.key = "key.pem": holds an encrypted key; decrypt it"#,
            ),
        ] {
            let refusal = refusal(cert, key);
            assert!(refusal.starts_with(text), "{refusal}");
        }
    }

    #[test]
    fn a_broken_key_does_not_show_in_the_error() {
        let Pair { cert, key } = pair();
        let endless = key.replace("-----END", "=====END");
        for broken in [endless, key.replacen('\n', "\nhunter2!", 1), key.replacen("MI", "MIhunter2", 1)] {
            let refusal = refusal(&cert, &broken);
            let secret = key.lines().nth(1).expect("a line");
            assert!(!refusal.contains("hunter2") && !refusal.contains(&secret[4..20]), "{refusal}");
        }
    }

    #[test]
    fn a_key_that_is_not_set_and_a_file_that_is_not_there_are_named() {
        let error = Files::named_by(&Tls::default()).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "tls.cert: not set, and ssl = true needs it: name the file with the certificate as PEM"
        );
        let tls = Tls { cert: Some("/nowhere/cert.pem".to_owned()), ..Tls::default() };
        assert!(Files::named_by(&tls).expect_err("refused").to_string().starts_with("tls.key: not set"));
        let tls = Tls { key: Some("/nowhere/key.pem".to_owned()), ..tls };
        let error = Files::named_by(&tls).expect("named").read().err().expect("refused");
        assert!(
            error.to_string().starts_with(r#"tls.cert = "/nowhere/cert.pem": cannot be read: No such file"#),
            "{error}"
        );
    }
}
