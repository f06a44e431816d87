//! Where a configuration was read from, so that it can be read again.

use std::{fmt, sync::Arc};

use super::{ConfigError, ConfigKey, ConfigLoader, WebSocketConfig};

/// The file and the variables that a [`WebSocketConfig`] was read from. Empty for a configuration written in code.
///
/// All origins are equal, because configurations with the same values are.
#[derive(Clone, Default)]
pub struct ConfigOrigin(Option<Arc<Loaded>>);

struct Loaded {
    loader: ConfigLoader,
    /// What was read: the app may have changed values since.
    config: WebSocketConfig,
}

impl ConfigOrigin {
    pub(super) fn of(loader: ConfigLoader, config: &WebSocketConfig) -> Self {
        Self(Some(Arc::new(Loaded { loader, config: config.clone() })))
    }

    /// Whether there is anything to read again.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }
}

impl WebSocketConfig {
    /// Reads the configuration again, from the file and the variables that this one was read from. Keys with values that
    /// the app changed in code after it was read keep these. Returns `None` for a configuration written in code.
    ///
    /// Call it on the configuration that the process started with. Blocks while it reads the file.
    ///
    /// # Errors
    /// Like [`load`](Self::load).
    pub fn read_again(&self) -> Result<Option<Self>, ConfigError> {
        let Some(loaded) = &self.origin.0 else { return Ok(None) };
        let mut new = loaded.loader.clone().load()?;
        let (mut started, mut read) = (self.clone(), loaded.config.clone());
        for key in ConfigKey::all() {
            let value = key.field(&mut started).value();
            if value != key.field(&mut read).value() {
                key.field(&mut new).take(&value);
            }
        }
        Ok(Some(new))
    }
}

impl PartialEq for ConfigOrigin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ConfigOrigin {}

impl fmt::Debug for ConfigOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigOrigin").field(&self.0.as_ref().map(|loaded| &loaded.loader)).finish()
    }
}
