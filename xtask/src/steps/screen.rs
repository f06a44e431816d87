//! Lines above the bar, if there is one.

use std::io::{self, Write};

use indicatif::ProgressBar;

/// Where a line belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Writes to both outputs of this process, also after the bar is gone.
#[derive(Clone, Debug)]
pub(crate) struct Screen(pub(super) Option<ProgressBar>);

impl Screen {
    /// A line of our own.
    pub(crate) fn line(&self, text: &str) {
        self.write(Stream::Err, format!("{text}\n").as_bytes());
    }

    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let write = || match stream {
            Stream::Out => io::stdout().lock().write_all(bytes),
            Stream::Err => io::stderr().lock().write_all(bytes),
        };
        // A closed output is no reason to stop the step whose words it would have shown.
        let _ = match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }
}
