//! Authentication by JSON Web Tokens: who a client of Roomwire is, as a token says that somebody trusted has signed.
//!
//! [`JwtAuthenticator`] implements the port [`Authenticator`](roomwire_core::Authenticator). What it accepts stands in
//! the configuration, under `auth`: which algorithms, whose key, which issuers and audiences. Nothing that a token says
//! about itself widens that.
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
mod pem;
mod refusal;
mod settings;
mod source;
mod token_place;

pub use authenticator::JwtAuthenticator;
pub use error::JwtError;
