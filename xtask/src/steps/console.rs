//! The screen while steps run: a bar under the output for people, plain lines for logs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::screen::Screen;
use super::summary::Row;

/// Shows which step runs and keeps the output of commands above it.
#[derive(Debug)]
pub(super) struct Console {
    screen: Screen,
    total: usize,
}

impl Console {
    pub(super) fn new(terminal: bool, total: usize) -> Self {
        let bar = terminal.then(|| {
            let style = ProgressStyle::with_template("{spinner} [{bar:20}] {pos}/{len} {msg} {elapsed}")
                .expect("the template is a constant and is shown by every run")
                .progress_chars("=> ");
            let bar = ProgressBar::new(total as u64).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { screen: Screen(bar), total }
    }

    /// Whether a bar is drawn, so that commands must not write past it.
    pub(super) fn draws(&self) -> bool {
        self.screen.0.is_some()
    }

    pub(super) fn started(&self, index: usize, name: &str) {
        if let Some(bar) = &self.screen.0 {
            bar.set_message(name.to_owned());
            bar.reset_elapsed();
        }
        self.screen.line(&format!("[{}/{}] {name}", index + 1, self.total));
    }

    pub(super) fn ended(&self, index: usize, row: &Row) {
        if let Some(bar) = &self.screen.0 {
            bar.set_position(index as u64 + 1);
        }
        self.screen.line(&format!("[{}/{}] {}", index + 1, self.total, row.sentence()));
    }

    /// For output while steps run, and maybe after.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        if let Some(bar) = &self.screen.0 {
            bar.finish_and_clear();
        }
    }
}
