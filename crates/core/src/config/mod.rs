//! The configuration of a service: its keys, its sources and its validation.
//!
//! Values are layered: the defaults, then one TOML, YAML or JSON file, then `ROOMWIRE_*` variables. Every value of
//! every layer is checked, including those that a later layer replaces, and all problems are reported at once.
//!
//! ```
//! use roomwire_core::config::WebSocketConfig;
//!
//! let variables = [("ROOMWIRE_RETRY_CONFIG__ATTEMPTS".to_owned(), "5".to_owned())];
//! let config = WebSocketConfig::loader().without_file().variables(variables).load()?;
//! assert_eq!(config.retry_config.attempts, 5);
//! assert_eq!(config.port, 3000);
//! # Ok::<(), roomwire_core::config::ConfigError>(())
//! ```
//!
//! [`ConfigKey::all`] is the only table of the keys: parsing, validation, error messages and `docs/configuration.md`
//! are derived from it.

mod api;
mod auth;
mod choice;
mod draft;
mod error;
mod field;
mod file;
mod key;
mod keys;
mod limits;
mod lists;
mod loader;
mod origin;
mod relation;
mod reload;
mod secret;
mod sections;
mod shared_state;
mod shown;
mod suggestion;
#[cfg(test)]
mod tests;
mod tls;
mod variables;
mod web_socket_config;

pub use api::Api;
pub use auth::Auth;
pub use choice::{Algorithm, LogLevel, Transport};
pub use error::{ConfigError, ConfigSource, Problem};
pub use key::ConfigKey;
pub use limits::Limits;
pub use loader::ConfigLoader;
pub use origin::ConfigOrigin;
pub use reload::{Reload, Reloading};
pub use secret::Secret;
pub use sections::{Drain, HealthConfig, Lease, Logger, RetryConfig};
pub use shared_state::SharedState;
pub use tls::Tls;
pub use web_socket_config::WebSocketConfig;
