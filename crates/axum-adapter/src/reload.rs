//! What the layer changes when the configuration is reloaded.

use std::sync::Arc;

use async_trait::async_trait;
use roomwire_core::{ApplyReload, WebSocketConfig};
use roomwire_service::{ReloadError, Reloadable};

use crate::{handshake::HandshakeCheck, layer::Mounted, logging, open_files::OpenFiles};

#[async_trait]
impl Reloadable for Mounted {
    async fn prepare(self: Arc<Self>, new: &Arc<WebSocketConfig>) -> Result<ApplyReload, ReloadError> {
        let new = new.clone();
        Ok(Box::new(move || self.apply(&new)))
    }
}

impl Mounted {
    pub(crate) fn apply(&self, new: &WebSocketConfig) {
        self.handshake.store(Arc::new(HandshakeCheck::new(new, self.refusals.clone())));
        if let Some(running) = &self.running {
            let files = OpenFiles::of_this_process(new);
            files.warn_if_too_few(new);
            running.session_limiter.set(&files.fitting(new));
        }
        logging::reload(new);
    }
}
