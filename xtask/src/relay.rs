//! What children write, handed on line by line.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long output is awaited after its writer has ended: only a process that left its group can still hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// An output of a child, and what is done with each of its lines.
pub(crate) type Source = (Box<dyn Read + Send>, Box<dyn FnMut(&[u8]) + Send>);

/// The threads that read a child's outputs. Dropping it waits for them: drop it after the child has ended.
#[derive(Debug)]
pub(crate) struct Relay {
    ends: mpsc::Receiver<()>,
    count: usize,
}

impl Relay {
    /// Begins to read, until all of the outputs have ended.
    pub(crate) fn start(sources: Vec<Source>) -> Self {
        let (finished, ends) = mpsc::channel();
        let count = sources.len();
        for (source, mut take) in sources {
            let finished = finished.clone();
            thread::spawn(move || {
                hand_on(source, &mut take);
                // The other side may have stopped waiting.
                let _ = finished.send(());
            });
        }
        Self { ends, count }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for _ in 0..self.count {
            if self.ends.recv_timeout(LAST_WORDS).is_err() {
                break;
            }
        }
    }
}

fn hand_on(source: impl Read, take: &mut dyn FnMut(&[u8])) {
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    while matches!(source.read_until(b'\n', &mut line), Ok(read) if read > 0) {
        take(&line);
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
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
        let start = Instant::now();
        drop(Relay::start(vec![(Box::new(Silence), Box::new(|_| {}))]));
        assert!(start.elapsed() < LAST_WORDS * 3);
    }

    #[test]
    fn an_ended_pipe_is_not_waited_for_and_its_last_line_is_not_lost() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = seen.clone();
        let start = Instant::now();
        let take = move |line: &[u8]| lines.lock().expect("no thread panics").push(line.to_vec());
        drop(Relay::start(vec![
            (Box::new(&b"one\ntwo"[..]), Box::new(take)),
            (Box::new(io::empty()), Box::new(|_| {})),
        ]));
        assert!(start.elapsed() < LAST_WORDS);
        assert_eq!(*seen.lock().expect("no thread panics"), [b"one\n".to_vec(), b"two".to_vec()]);
    }
}
