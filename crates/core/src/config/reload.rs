//! A new configuration for a running service.

use serde::Serialize;

use super::{ConfigError, ConfigKey, WebSocketConfig};

/// When a changed value of a key takes effect in a running service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloading {
    /// When the configuration is reloaded.
    AtOnce,
    /// For the clients that connect, and the connections that are accepted, after the configuration is reloaded. The
    /// others keep what they have.
    NewClients,
    /// When the process starts again.
    Restart,
}

/// The keys that a reload changed, by name: values are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reload {
    /// The changed keys that are in force now.
    pub applied: Vec<&'static str>,
    /// The changed keys that keep their old values until the process starts again.
    pub needs_restart: Vec<&'static str>,
}

impl WebSocketConfig {
    /// The configuration in force after this one is reloaded with the values of `new`: the keys that can change in a
    /// running service are those of `new`, the others those of this configuration. A key is left as it is, too, if
    /// `is_fixed` returns true for it.
    ///
    /// # Errors
    /// All problems at once, if `new` is not valid, or is not together with the values that stay.
    pub fn reloaded(
        &self,
        new: &Self,
        is_fixed: impl Fn(&'static ConfigKey) -> bool,
    ) -> Result<(Self, Reload), ConfigError> {
        new.validate()?;
        let (mut merged, mut new) = (self.clone(), new.clone());
        let mut reload = Reload::default();
        for key in ConfigKey::all() {
            let value = key.field(&mut new).value();
            if key.field(&mut merged).value() == value {
                continue;
            }
            if key.reloading() == Reloading::Restart || is_fixed(key) {
                reload.needs_restart.push(key.name());
            } else {
                // Valid: it was checked above.
                key.field(&mut merged).take(&value);
                reload.applied.push(key.name());
            }
        }
        merged.validate()?;
        Ok((merged, reload))
    }
}
