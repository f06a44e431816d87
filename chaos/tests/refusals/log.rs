//! What is logged on this thread.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use tracing::{level_filters::LevelFilter, subscriber::DefaultGuard};

/// What is logged from info on, on the thread of a test.
#[derive(Debug)]
pub(crate) struct Log {
    written: Written,
    _guard: DefaultGuard,
}

impl Log {
    pub(crate) fn capture() -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::INFO)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines since the last time it was asked.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.written.0.lock())).expect("text");
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
