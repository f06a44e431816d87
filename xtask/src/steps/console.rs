//! The screen while steps run: a bar under the output for people, plain lines for logs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::summary::Row;

/// How long output is awaited after its writer has ended: only a process that left its group can still hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where a line belongs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Shows which step runs and keeps the output of commands above it.
#[derive(Debug)]
pub(super) struct Console {
    bar: Option<ProgressBar>,
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
        Self { bar, total }
    }

    /// Whether a bar is drawn, so that commands must not write past it.
    pub(super) fn draws(&self) -> bool {
        self.bar.is_some()
    }

    pub(super) fn started(&self, index: usize, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(name.to_owned());
            bar.reset_elapsed();
        }
        self.line(&format!("[{}/{}] {name}", index + 1, self.total));
    }

    pub(super) fn ended(&self, index: usize, row: &Row) {
        if let Some(bar) = &self.bar {
            bar.set_position(index as u64 + 1);
        }
        self.line(&format!("[{}/{}] {}", index + 1, self.total, row.sentence()));
    }

    /// A line of our own.
    pub(super) fn line(&self, text: &str) {
        write_above(self.bar.as_ref(), Stream::Err, format!("{text}\n").as_bytes());
    }

    /// Copies what a child writes to the screen, line by line, until both of its outputs end.
    ///
    /// The returned value waits for that: drop it after the child has ended.
    pub(super) fn follow(&self, sources: Vec<(Box<dyn Read + Send>, Stream)>) -> Follower {
        let (finished, ends) = mpsc::channel();
        let count = sources.len();
        for (source, stream) in sources {
            let bar = self.bar.clone();
            let finished = finished.clone();
            thread::spawn(move || {
                copy_lines(bar.as_ref(), source, stream);
                // The other side may have stopped waiting.
                let _ = finished.send(());
            });
        }
        Follower { ends, count }
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The threads that copy a child's output.
#[derive(Debug)]
pub(super) struct Follower {
    ends: mpsc::Receiver<()>,
    count: usize,
}

impl Drop for Follower {
    fn drop(&mut self) {
        for _ in 0..self.count {
            if self.ends.recv_timeout(LAST_WORDS).is_err() {
                break;
            }
        }
    }
}

fn copy_lines(bar: Option<&ProgressBar>, source: impl Read, stream: Stream) {
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    while matches!(source.read_until(b'\n', &mut line), Ok(read) if read > 0) {
        write_above(bar, stream, &line);
        line.clear();
    }
}

fn write_above(bar: Option<&ProgressBar>, stream: Stream, bytes: &[u8]) {
    let write = || match stream {
        Stream::Out => io::stdout().lock().write_all(bytes),
        Stream::Err => io::stderr().lock().write_all(bytes),
    };
    // A closed output is no reason to stop the step whose words it would have shown.
    let _ = match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    };
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Never ends, like a pipe held by a process that left its group.
    struct Silence;

    impl Read for Silence {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            loop {
                thread::park();
            }
        }
    }

    #[test]
    fn a_pipe_that_never_ends_does_not_hold_the_step() {
        let console = Console::new(false, 1);
        let start = Instant::now();
        drop(console.follow(vec![(Box::new(Silence), Stream::Err)]));
        assert!(start.elapsed() < LAST_WORDS * 3);
    }

    #[test]
    fn an_ended_pipe_is_not_waited_for() {
        let console = Console::new(false, 1);
        let start = Instant::now();
        drop(console.follow(vec![(Box::new(io::empty()), Stream::Out), (Box::new(io::empty()), Stream::Err)]));
        assert!(start.elapsed() < LAST_WORDS);
    }
}
