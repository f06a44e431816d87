//! One test at a time.

use std::fs::File;

/// The right to keep this machine busy; others wait until it is dropped, in this process and in others.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held, not read: the lock ends with the file")] File);

impl Turn {
    /// Waits for it.
    ///
    /// # Panics
    /// When the file that everybody locks cannot be.
    pub async fn wait() -> Self {
        let path = std::env::temp_dir().join("roomwire-chaos.lock");
        let lock = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock().map(|()| file)
        });
        match lock.await {
            Ok(Ok(file)) => Self(file),
            Ok(Err(error)) => panic!("tests cannot wait for each other: {error}"),
            Err(error) => panic!("tests cannot wait for each other: {error}"),
        }
    }
}
