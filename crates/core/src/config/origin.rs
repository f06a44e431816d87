//! Where a configuration was read from, so that it can be read again.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{ConfigError, ConfigKey, ConfigLoader, Problem, WebSocketConfig};

/// The file and the variables that a [`WebSocketConfig`] was read from. Empty for a configuration written in code.
///
/// All origins are equal, because configurations with the same values are.
#[derive(Clone, Default)]
pub struct ConfigOrigin(Option<Arc<Loaded>>);

struct Loaded {
    loader: ConfigLoader,
    /// The file that was found, if the loader named none.
    found: Option<PathBuf>,
    /// What was read: the app may have changed values since.
    config: WebSocketConfig,
}

impl ConfigOrigin {
    pub(super) fn of(loader: ConfigLoader, found: Option<PathBuf>, config: &WebSocketConfig) -> Self {
        Self(Some(Arc::new(Loaded { loader, found, config: config.clone() })))
    }

    fn found(&self) -> Option<&PathBuf> {
        self.0.as_ref()?.found.as_ref()
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
    /// Like [`load`](Self::load); also if there was a file and there is none any more: its keys do not silently go back to
    /// their defaults.
    pub fn read_again(&self) -> Result<Option<Self>, ConfigError> {
        let Some(loaded) = &self.origin.0 else { return Ok(None) };
        let mut new = loaded.loader.clone().load()?;
        if let (Some(file), None) = (&loaded.found, new.origin.found()) {
            let allowed = "is gone; expected the file that was read at start, which may be empty";
            ConfigError::unless_none(vec![Problem::file(file.display().to_string(), allowed)])?;
        }
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
