//! A new certificate, without a restart.

use std::{sync::Arc, time::Duration};

use roomwire_core::config::Tls;
use tokio::time::timeout;

use super::{Certificates, Contents, Files, Renewed, TlsError, Watched, read};

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
        let Renewed { files, seen, config } = renewed;
        let mut now = self.watched.lock();
        let is_new = now.files != files || now.seen != seen;
        let generation = now.generation + 1;
        *now = Watched { files, seen, generation };
        if is_new {
            *self.current.write() = Arc::new(config);
            tracing::info!(target: "roomwire", "the certificate was renewed");
        }
        drop(now);
        self.replaced.notify_one();
    }

    async fn look(&self, unreadable: &mut bool) {
        let (files, generation) = self.to_look_at();
        let reading = files.clone();
        // It fails if the runtime ends.
        if let Ok(read) = tokio::task::spawn_blocking(move || reading.read()).await {
            self.looked(&files, generation, read, unreadable);
        }
    }

    /// The files, and the generation that they belong to.
    fn to_look_at(&self) -> (Files, u64) {
        let watched = self.watched.lock();
        (watched.files.clone(), watched.generation)
    }

    /// Uses what a look found, unless a reload came meanwhile: what it read may be newer.
    fn looked(&self, files: &Files, generation: u64, read: Result<Contents, TlsError>, unreadable: &mut bool) {
        let mut watched = self.watched.lock();
        if watched.generation != generation {
            return;
        }
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
        if watched.seen == contents {
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

    fn tls_in(directory: &TempDir) -> Tls {
        let path = |name| Some(directory.path().join(name).to_str().expect("text").to_owned());
        Tls { cert: path("cert.pem"), key: path("key.pem"), ..Tls::default() }
    }

    fn write_pair(tls: &Tls) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("generates");
        std::fs::write(tls.cert.as_ref().expect("set"), made.cert.pem()).expect("written");
        std::fs::write(tls.key.as_ref().expect("set"), made.signing_key.serialize_pem()).expect("written");
    }

    #[tokio::test]
    async fn what_is_new_and_sound_is_used_and_anything_else_leaves_what_was() {
        let directory = TempDir::new().expect("a directory");
        let tls = tls_in(&directory);
        let write = || write_pair(&tls);
        write();
        let certificates = Certificates::load(&tls).await.expect("loads");
        let current = || certificates.current.read().clone();
        let first = current();
        let mut unreadable = false;

        certificates.look(&mut unreadable).await;
        assert!(Arc::ptr_eq(&first, &current()), "nothing is new");
        std::fs::write(tls.key.as_ref().expect("set"), "half a k").expect("written");
        certificates.look(&mut unreadable).await;
        assert!(Arc::ptr_eq(&first, &current()), "the key is broken");
        std::fs::remove_file(tls.cert.as_ref().expect("set")).expect("removed");
        certificates.look(&mut unreadable).await;
        assert!(unreadable && Arc::ptr_eq(&first, &current()), "the certificate is gone");
        write();
        certificates.look(&mut unreadable).await;
        assert!(!unreadable && !Arc::ptr_eq(&first, &current()), "both are new and fit");
    }

    #[tokio::test]
    async fn a_look_that_read_before_a_reload_and_ends_after_it_changes_nothing() {
        let directory = TempDir::new().expect("a directory");
        let tls = tls_in(&directory);
        let write = || write_pair(&tls);
        write();
        let certificates = Certificates::load(&tls).await.expect("loads");
        let current = || certificates.current.read().clone();

        let (files, generation) = certificates.to_look_at();
        let old = files.read();
        write();
        certificates.replace(certificates.read(&tls).await.expect("reads"));
        let new = current();
        certificates.looked(&files, generation, old, &mut false);
        assert!(Arc::ptr_eq(&new, &current()), "the old certificate is in force again");

        write();
        certificates.look(&mut false).await;
        assert!(!Arc::ptr_eq(&new, &current()), "later looks count");
    }
}
