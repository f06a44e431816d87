//! Sources of keys.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jsonwebtoken::DecodingKey;
use roomwire_core::config::{Algorithm, Secret};
use tokio::io::AsyncReadExt;

use super::{
    JwtError,
    fetch::Fetcher,
    key::Key,
    key_set::{KeySet, Secrets},
    kind::{Kind, least_secret, listed},
    pem,
};

/// The largest size of a key file.
const MOST_BYTES: u64 = 256 * 1024;

/// The source of the keys of one authenticator.
pub(crate) enum Source {
    Secret(Secret),
    PublicKey(String),
    /// A file with a secret or with a public key.
    KeyFile(PathBuf),
    JwksFile(PathBuf),
    JwksUrl(Box<Fetcher>),
}

/// The content of a source.
pub(crate) struct Read {
    pub(crate) keys: Arc<KeySet>,
    /// Equal for equal content.
    pub(crate) fingerprint: u64,
}

impl Source {
    /// Whether the content may change.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self, Self::Secret(_) | Self::PublicKey(_))
    }

    /// Whether its keys have ids, so that a token may refer to a new one.
    pub(crate) fn names_keys(&self) -> bool {
        matches!(self, Self::JwksFile(_) | Self::JwksUrl(_))
    }

    /// Reads the keys, for these algorithms.
    ///
    /// # Errors
    /// If they cannot be read or used.
    pub(crate) async fn read(&self, algorithms: &[Algorithm]) -> Result<Read, JwtError> {
        let content = self.content().await.map_err(|problem| JwtError::Unreadable { key: self.key(), problem })?;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let keys = self.keys(&content, algorithms).map_err(|problem| JwtError::Unfit { key: self.key(), problem })?;
        Ok(Read { keys: Arc::new(keys), fingerprint: hasher.finish() })
    }

    async fn content(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Secret(secret) => Ok(secret.expose().as_bytes().to_vec()),
            Self::PublicKey(text) => Ok(text.as_bytes().to_vec()),
            Self::KeyFile(path) | Self::JwksFile(path) => {
                file(path).await.map_err(|error| format!("{self} cannot be read: {error}"))
            }
            Self::JwksUrl(fetcher) => {
                fetcher.fetch().await.map(|body| body.to_vec()).map_err(|problem| format!("{self} {problem}"))
            }
        }
    }

    fn keys(&self, content: &[u8], algorithms: &[Algorithm]) -> Result<KeySet, String> {
        match self {
            Self::Secret(_) => secret(content, algorithms).map_err(|problem| format!("the secret {problem}")),
            Self::PublicKey(_) => public_key(content, algorithms).map_err(|problem| format!("the text {problem}")),
            Self::KeyFile(_) if takes_secret(algorithms) => {
                secret(without_line_end(content), algorithms).map_err(|problem| format!("{self} {problem}"))
            }
            Self::KeyFile(_) => public_key(content, algorithms).map_err(|problem| format!("{self} {problem}")),
            Self::JwksFile(_) => {
                KeySet::from_jwks(content, algorithms, Secrets::Allowed).map_err(|problem| format!("{self} {problem}"))
            }
            Self::JwksUrl(_) => {
                KeySet::from_jwks(content, algorithms, Secrets::Refused).map_err(|problem| format!("{self} {problem}"))
            }
        }
    }

    /// The configuration key of the source.
    fn key(&self) -> &'static str {
        match self {
            Self::Secret(_) => "auth.secret",
            Self::PublicKey(_) => "auth.publicKey",
            Self::KeyFile(_) => "auth.keyFile",
            Self::JwksFile(_) | Self::JwksUrl(_) => "auth.jwks",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) | Self::PublicKey(_) => f.write_str(self.key()),
            Self::KeyFile(path) | Self::JwksFile(path) => write!(f, "{}", path.display()),
            Self::JwksUrl(fetcher) => write!(f, "{fetcher}"),
        }
    }
}

/// Whether these algorithms use a shared secret: the first decides, because all are of one type.
fn takes_secret(algorithms: &[Algorithm]) -> bool {
    algorithms.first().is_some_and(|algorithm| least_secret(*algorithm).is_some())
}

fn secret(bytes: &[u8], algorithms: &[Algorithm]) -> Result<KeySet, String> {
    // A public key is public: as a secret it would let everyone forge tokens.
    if bytes.windows(pem::BEGIN.len()).any(|window| window == pem::BEGIN.as_bytes()) {
        return Err(format!("holds PEM, but {} take a secret; name the algorithm of the key", listed(algorithms)));
    }
    let least = algorithms.iter().filter_map(|algorithm| least_secret(*algorithm)).max().unwrap_or(0);
    if bytes.len() < least {
        return Err(format!(
            "has {} bytes; {} needs at least {least} (RFC 7518, 3.2), for example from openssl rand -base64 {least}",
            bytes.len(),
            listed(algorithms)
        ));
    }
    one(Kind::Secret(bytes.len()), DecodingKey::from_secret(bytes), algorithms)
}

fn public_key(content: &[u8], algorithms: &[Algorithm]) -> Result<KeySet, String> {
    let text = str::from_utf8(content).map_err(|_| "holds no PEM; expected -----BEGIN PUBLIC KEY-----")?;
    let (kind, key) = pem::read(text)?;
    one(kind, key, algorithms)
}

/// A set of a single key, which must be usable with all algorithms.
fn one(kind: Kind, key: DecodingKey, algorithms: &[Algorithm]) -> Result<KeySet, String> {
    let unfit: Vec<_> = algorithms.iter().copied().filter(|algorithm| !kind.fits(*algorithm)).collect();
    let key = Key::new(None, kind, key, algorithms).filter(|_| unfit.is_empty()).ok_or_else(|| {
        let fitting: Vec<_> = Algorithm::ALL.iter().copied().filter(|algorithm| kind.fits(*algorithm)).collect();
        format!("holds {kind}, which is for {}, not for {} as auth.algorithms says", listed(&fitting), listed(&unfit))
    })?;
    Ok(KeySet::of(key))
}

async fn file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    tokio::fs::File::open(path).await?.take(MOST_BYTES + 1).read_to_end(&mut content).await?;
    if content.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(content)
}

/// The secret itself: editors and `echo` end a file with a line end.
fn without_line_end(content: &[u8]) -> &[u8] {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    content.strip_suffix(b"\r").unwrap_or(content)
}
