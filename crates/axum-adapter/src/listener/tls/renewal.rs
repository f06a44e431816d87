//! A new certificate, without a restart.

use std::{sync::Arc, time::Duration};

use roomwire_core::config::Tls;
use tokio::time::timeout;

use super::{Certificates, Renewed, TlsError, read};

impl Certificates {
    /// Looks at the files every so often, for as long as it is polled, and uses what is new for new connections; those
    /// that stand keep what they have.
    ///
    /// Files that cannot be used are told once, and the last good pair stays: while one file is written and the other
    /// is not yet, they do not fit, and the next look finds both.
    pub(crate) async fn renew_every(&self, pause: impl Fn() -> Duration) {
        let mut unreadable = false;
        loop {
            if timeout(pause(), self.replaced.notified()).await.is_err() {
                self.look(&mut unreadable).await;
            }
        }
    }

    /// Reads the files of a new configuration, which may be the same as before.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(crate) async fn read(&self, tls: &Tls) -> Result<Renewed, TlsError> {
        read(tls).await
    }

    /// Uses these for new connections, and watches their files from now on.
    pub(crate) fn replace(&self, renewed: Renewed) {
        let Renewed { watched, config } = renewed;
        let mut now = self.watched.lock();
        if *now != watched {
            *self.current.write() = Arc::new(config);
            *now = watched;
            tracing::info!(target: "roomwire", "the certificate was renewed");
        }
        drop(now);
        self.replaced.notify_one();
    }

    async fn look(&self, unreadable: &mut bool) {
        let files = self.watched.lock().files.clone();
        let reading = files.clone();
        let read = match tokio::task::spawn_blocking(move || reading.read()).await {
            Ok(read) => read,
            // The runtime ends.
            Err(_) => return,
        };
        let contents = match read {
            Ok(contents) => contents,
            Err(error) => {
                if !std::mem::replace(unreadable, true) {
                    tracing::error!(target: "roomwire", "the certificate stays as it is: {error}");
                }
                return;
            }
        };
        *unreadable = false;
        let mut watched = self.watched.lock();
        // Others may be watched since these were read.
        if watched.files != files || watched.seen == contents {
            return;
        }
        match files.config(&contents) {
            Ok(config) => {
                // A whole new configuration: what clients resume from sessions under the old one is gone with it.
                *self.current.write() = Arc::new(config);
                tracing::info!(target: "roomwire", "the certificate was renewed");
            }
            Err(error) => tracing::error!(target: "roomwire", "the certificate stays as it is: {error}"),
        }
        watched.seen = contents;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roomwire_core::config::Tls;
    use tempfile::TempDir;

    use super::Certificates;

    #[tokio::test]
    async fn what_is_new_and_sound_is_used_and_anything_else_leaves_what_was() {
        let directory = TempDir::new().expect("a directory");
        let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        let write = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
            std::fs::write(&cert, made.cert.pem()).expect("written");
            std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        };
        write();
        let path = |path: &std::path::Path| Some(path.to_str().expect("text").to_owned());
        let tls = Tls { cert: path(&cert), key: path(&key), ..Tls::default() };
        let certificates = Certificates::load(&tls).await.expect("loads");
        let current = || certificates.current.read().clone();
        let first = current();
        let mut unreadable = false;

        certificates.look(&mut unreadable).await;
        assert!(Arc::ptr_eq(&first, &current()), "nothing is new");
        std::fs::write(&key, "half a k").expect("written");
        certificates.look(&mut unreadable).await;
        assert!(Arc::ptr_eq(&first, &current()), "the key is broken");
        std::fs::remove_file(&cert).expect("removed");
        certificates.look(&mut unreadable).await;
        assert!(unreadable && Arc::ptr_eq(&first, &current()), "the certificate is gone");
        write();
        certificates.look(&mut unreadable).await;
        assert!(!unreadable && !Arc::ptr_eq(&first, &current()), "both are new and fit");
    }
}
