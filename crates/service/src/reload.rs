//! Parts that change with the configuration, and why a new configuration is refused.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use roomwire_core::{ApplyReload, WebSocketConfig, config::ConfigError};

/// A part of a server that derives something from the configuration, such as a limit that it counts against. For authors
/// of servers; [`WebSocketService::add_reloadable`](crate::WebSocketService::add_reloadable) adds it.
#[async_trait]
pub trait Reloadable: Send + Sync + 'static {
    /// Prepares for this configuration, and returns what puts it into force. It is called if all parts are prepared, right
    /// after [`WebSocketService::config`](crate::WebSocketService::config) returns the new configuration.
    ///
    /// # Errors
    /// [`ReloadError::Refused`] if this part cannot use it: then nothing changes.
    async fn prepare(self: Arc<Self>, new: &Arc<WebSocketConfig>) -> Result<ApplyReload, ReloadError>;
}

/// Why a new configuration is refused. The one in force stays, in all parts.
///
/// The text names the keys and never shows a secret. `Debug` writes the same as `Display`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The configuration was written in code: there is no file and no variable to read again.
    #[error(
        "there is nothing to read again: the configuration was written in code; read it by WebSocketConfig::load, or call \
         WebSocketService::reload with a new one"
    )]
    NoOrigin,
    /// It cannot be read, or is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is valid, and cannot be used.
    #[error("{key}: {problem}")]
    Refused {
        /// The key, or the group of keys.
        key: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl fmt::Debug for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
