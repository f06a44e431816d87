//! What is logged on this thread.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

/// What is logged on the thread of a test: by Roomwire from debug on and by others from warn on, or all.
#[derive(Debug)]
pub(crate) struct Log {
    written: Written,
    _guard: DefaultGuard,
}

impl Log {
    pub(crate) fn capture() -> Self {
        Self::of("warn,roomwire=debug")
    }

    /// Everything that is logged at any level on the thread of a test, except by libraries that log packets: the logger
    /// keeps these silent, which `logging.rs` shows.
    pub(crate) fn capture_all() -> Self {
        Self::of("trace,tungstenite=off,tokio_tungstenite=off")
    }

    fn of(filter: &str) -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().expect("no panic").clone()).expect("text")
    }

    /// Whether anything but ends of lines could command a terminal.
    pub(crate) fn has_control_characters(&self) -> bool {
        self.text().chars().any(|character| character.is_control() && character != '\n')
    }

    pub(crate) fn lines_with(&self, words: &[&str]) -> usize {
        self.text().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
