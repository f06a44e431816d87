//! Authenticates Roomwire clients with JSON Web Tokens.
//!
//! [`JwtAuthenticator`] implements the port [`Authenticator`](roomwire_core::Authenticator). The configuration, under
//! `auth`, decides what it accepts: algorithms, keys, issuers and audiences. A token cannot widen that.
//!
//! ```
//! use roomwire_auth_jwt::JwtAuthenticator;
//! use roomwire_core::config::{Algorithm, Auth};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let mut auth = Auth::default();
//! auth.algorithms = vec![Algorithm::Hs256];
//! auth.secret = Some("a secret of at least 32 bytes, from a safe place".into());
//! let authenticator = JwtAuthenticator::from_config(&auth).await?;
//! # let _ = authenticator;
//! # Ok::<(), roomwire_auth_jwt::JwtError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authenticator;
mod claims;
mod error;
mod fetch;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod key_ring;
mod key_set;
mod kind;
mod metrics;
mod pem;
mod refusal;
mod settings;
mod source;
mod token_place;
mod verifier;

pub use authenticator::JwtAuthenticator;
pub use error::JwtError;
pub use metrics::METRICS;
