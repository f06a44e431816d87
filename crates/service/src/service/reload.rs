//! Replaces the configuration while the service runs.

use std::{error::Error as _, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, TryFutureExt};
use roomwire_core::{
    ApplyReload, WebSocketConfig,
    config::{Auth, ConfigKey, Reload},
};
use tokio::time::timeout;

use super::WebSocketService;
use crate::{ReloadError, Reloadable, backend::shows_events};

/// How long the authenticator and the parts of a server may take to prepare for a new configuration.
const PATIENCE: Duration = Duration::from_secs(30);

/// The keys of `auth` that the service reads itself, whatever the authenticator does.
const OF_SERVICE: [&str; 2] = ["auth.timeout", "auth.revocation"];

impl WebSocketService {
    /// Reads the configuration again from the file and the variables that it was read from at start, and
    /// [reloads](Self::reload) it. Keys that the app changed in code after it was read keep their values.
    ///
    /// [`serve`] does this on SIGHUP.
    ///
    /// # Errors
    /// [`ReloadError::NoOrigin`] for a configuration that was written in code; otherwise as [`reload`](Self::reload).
    ///
    /// [`serve`]: https://docs.rs/roomwire-axum-adapter/latest/roomwire_axum_adapter/fn.serve.html
    pub async fn reload_config(&self) -> Result<Reload, ReloadError> {
        // Before the file is read: what was read last is in force at the end.
        let _one_at_a_time = self.node.configuration.reloading.lock().await;
        let started = self.node.configuration.started.clone();
        let read = tokio::task::spawn_blocking(move || started.read_again()).await;
        let read = read.map_err(|error| ReloadError::Refused { key: "configuration", problem: error.to_string() })?;
        match read {
            Ok(Some(new)) => self.reload_one(&new).await,
            Ok(None) => Err(refused(ReloadError::NoOrigin)),
            Err(error) => Err(refused(error.into())),
        }
    }

    /// Puts a new configuration into force, as a whole or not at all: the keys that can change in a running service, in
    /// the service, its server and its authenticator. Returns the names of the keys that changed; those that need a
    /// restart keep their values. [`ConfigKey::reloading`] says when a key takes effect; connected clients are never
    /// disconnected because a limit is lower now.
    ///
    /// Reads the files of `tls`, and of the keys for tokens, again also if no key changed. One reload runs at a time.
    /// Each logs one line: at info the names of the keys, at warn why it was refused.
    ///
    /// # Errors
    /// What is wrong; then everything stays as it is. Also if the authenticator or a part of the server panics, or does not
    /// prepare for the new configuration within 30 seconds.
    ///
    /// # Cancellation
    /// If the future is dropped, the configuration is in force as a whole or not at all.
    pub async fn reload(&self, new: WebSocketConfig) -> Result<Reload, ReloadError> {
        let _one_at_a_time = self.node.configuration.reloading.lock().await;
        self.reload_one(&new).await
    }

    async fn reload_one(&self, new: &WebSocketConfig) -> Result<Reload, ReloadError> {
        let reload = self.try_reload(new).await.map_err(refused)?;
        let names = |keys: &[&str]| if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        tracing::info!(
            target: "roomwire", applied = names(&reload.applied), needs_restart = names(&reload.needs_restart),
            "the configuration was reloaded"
        );
        Ok(reload)
    }

    /// Adds a part that is asked at each reload, for as long as it exists. For authors of servers: compare
    /// [`config`](Self::config) afterwards with the one that the part was made for.
    pub fn add_reloadable(&self, part: &Arc<impl Reloadable>) {
        let part = Arc::downgrade(part);
        self.node.configuration.add_part(part);
    }

    async fn try_reload(&self, new: &WebSocketConfig) -> Result<Reload, ReloadError> {
        let node = &self.node;
        let current = node.configuration.full();
        new.validate()?;
        let authenticator = self.prepare_authenticator(&current.auth, &new.auth).await?;
        let is_fixed = |key: &ConfigKey| {
            authenticator.is_none() && key.name().starts_with("auth.") && !OF_SERVICE.contains(&key.name())
        };
        let (merged, reload) = current.reloaded(new, is_fixed)?;
        node.backend.check_payload_limit(merged.limits.payload).map_err(|error| ReloadError::Refused {
            key: "limits.payload",
            problem: error.source().map(ToString::to_string).unwrap_or_default(),
        })?;
        let merged = Arc::new(merged);
        let mut prepared: Vec<_> = authenticator.into_iter().collect();
        for part in node.configuration.parts() {
            prepared.push(bounded("configuration", part.prepare(&merged)).await?);
        }
        node.configuration.replace(merged);
        for apply in prepared {
            apply();
        }
        let shows = shows_events(&node.config());
        // Otherwise the targets of `set_debug` stay.
        if shows != shows_events(&current) {
            node.followers.show_all(shows);
        }
        Ok(reload)
    }

    /// `None` without an authenticator, or if its settings cannot change.
    async fn prepare_authenticator(&self, current: &Auth, new: &Auth) -> Result<Option<ApplyReload>, ReloadError> {
        let Some(authenticator) = &self.node.auth_hooks.authenticator else { return Ok(None) };
        let Auth { timeout, revocation, .. } = *current;
        let is_changed = Auth { timeout, revocation, ..new.clone() } != *current;
        let prepared = authenticator
            .reload(is_changed.then_some(new))
            .map_err(|error| ReloadError::Refused { key: "auth", problem: error.to_string() });
        bounded("auth", prepared).await
    }
}

/// Code of the app may panic, or never return: the server goes on with what it has.
async fn bounded<T>(
    key: &'static str,
    prepared: impl Future<Output = Result<T, ReloadError>>,
) -> Result<T, ReloadError> {
    let problem = match timeout(PATIENCE, AssertUnwindSafe(prepared).catch_unwind()).await {
        Ok(Ok(prepared)) => return prepared,
        Ok(Err(_)) => "a part of the app panicked when it was asked to prepare for it".to_owned(),
        Err(_) => format!("a part of the app did not prepare for it within {} s", PATIENCE.as_secs()),
    };
    Err(ReloadError::Refused { key, problem })
}

fn refused(error: ReloadError) -> ReloadError {
    tracing::warn!(target: "roomwire", "the configuration stays as it is: {error}");
    error
}
