//! Processes that run side by side: started one after another, watched, and stopped in reverse order.

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::announce::{PAUSE, answers};
use crate::interrupts::{Happening, reap, tell_of_end};
use crate::relay::{Relay, Source};
use crate::session::Session;
use crate::shell_line::shell_line;
use crate::steps::{Screen, Stage, Stream};

/// How long one may take until it answers.
const START: Duration = Duration::from_secs(30);
/// How long one may take to end once it is asked to. Longer than what the service takes to part from its clients.
const STOP: Duration = Duration::from_secs(35);

/// Processes of one run. Dropping them stops them.
#[derive(Debug)]
pub(super) struct Processes<'a> {
    session: &'a Session,
    keeper: Sender<Happening>,
    happenings: Receiver<Happening>,
    running: Vec<Process>,
    /// Those that have ended and are not reaped yet.
    ended: HashSet<Pid>,
    /// Set when the stop must not wait.
    hurried: bool,
}

#[derive(Debug)]
struct Process {
    name: String,
    child: Child,
    leader: Pid,
    _output: Relay,
}

/// What [`Processes::next`] waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This run is to stop.
    Stop,
    /// The process of this name is gone, and how.
    Gone { name: String, how: String },
}

impl<'a> Processes<'a> {
    /// None yet. From now on signals are for them.
    pub(super) fn new(session: &'a Session) -> Self {
        let (keeper, happenings) = mpsc::channel();
        session.interrupts().tell(Some(keeper.clone()));
        Self { session, keeper, happenings, running: Vec::new(), ended: HashSet::new(), hurried: false }
    }

    /// Starts one more, its output going to the screen with its name, and returns its id.
    pub(super) fn start(&mut self, name: &str, command: &mut Command, stage: &Stage<'_>) -> anyhow::Result<u32> {
        let line = shell_line(command);
        stage.note(&format!("$ {line}"));
        if self.session.interrupts().received().is_some() {
            bail!("stopped by a signal");
        }
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started by `{line}`"))?;
        tell_of_end(&child, self.keeper.clone());
        let output = Relay::start(named_outputs(&mut child, name, stage.screen()));
        let id = child.id();
        let leader = Pid::from_child(&child);
        self.running.push(Process { name: name.to_owned(), child, leader, _output: output });
        Ok(id)
    }

    /// Waits until all of the addresses are listened on. An error when one of the processes ends before.
    pub(super) fn until_answered(&mut self, addresses: &[SocketAddr]) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        let mut silent = addresses.to_vec();
        loop {
            silent.retain(|address| !answers(*address));
            let Some(address) = silent.first() else { return Ok(()) };
            match self.next_within(PAUSE)? {
                Some(Next::Stop) => bail!("stopped by a signal"),
                Some(Next::Gone { name, how }) => bail!("{name} {how} before it answered; what it said stands above"),
                None if Instant::now() > deadline => bail!("nobody answers on {address} after {} s", START.as_secs()),
                None => {}
            }
        }
    }

    /// Waits for a signal or the end of a process.
    pub(super) fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            if let Some(next) = self.next_within(Duration::from_secs(60))? {
                return Ok(next);
            }
        }
    }

    fn next_within(&mut self, patience: Duration) -> anyhow::Result<Option<Next>> {
        match self.happenings.recv_timeout(patience) {
            Ok(Happening::Signal(_)) => Ok(Some(Next::Stop)),
            Ok(Happening::Ended(leader)) => {
                let Some(at) = self.running.iter().position(|process| process.leader == leader) else {
                    return Ok(None);
                };
                let mut process = self.running.remove(at);
                let status = reap(&mut process.child)?;
                Ok(Some(Next::Gone { name: process.name.clone(), how: how(status) }))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is held as long as the receiver"),
        }
    }

    /// Stops all, the last first. Says whether each of them ended by itself and in time.
    pub(super) fn stop(&mut self) -> bool {
        let mut in_order = true;
        while let Some(mut process) = self.running.pop() {
            in_order &= self.end(&process);
            let _ = reap(&mut process.child);
        }
        in_order
    }

    /// Asks a process to end and waits until it has, which it must sooner or later. A second signal to this run is for
    /// callers that cannot wait.
    fn end(&mut self, process: &Process) -> bool {
        // It is not reaped yet, so its id is not reused. An error means that it has ended.
        let send = |signal| _ = kill_process_group(process.leader, signal);
        send(if self.hurried { Signal::KILL } else { Signal::TERM });
        let deadline = Instant::now() + STOP;
        while !self.ended.contains(&process.leader) {
            match self.happenings.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Happening::Ended(leader)) => drop(self.ended.insert(leader)),
                Ok(Happening::Signal(_)) => {
                    self.hurried = true;
                    send(Signal::KILL);
                }
                Err(_) => {
                    eprintln!("{} does not end and is killed", process.name);
                    return false;
                }
            }
        }
        !self.hurried
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        self.stop();
        self.session.interrupts().tell(None);
    }
}

fn how(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was killed by signal {signal}"),
        None => format!("ended with status {}", status.code().unwrap_or_default()),
    }
}

fn named_outputs(child: &mut Child, name: &str, screen: &Screen) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut add = |source: Option<Box<dyn Read + Send>>, stream| {
        let (head, screen) = (format!("{name:<7}| ").into_bytes(), screen.clone());
        let write = move |line: &[u8]| screen.write(stream, &[&head, line].concat());
        sources.extend(source.map(|source| -> Source { (source, Box::new(write)) }));
    };
    add(child.stdout.take().map(|stdout| Box::new(stdout) as _), Stream::Out);
    add(child.stderr.take().map(|stderr| Box::new(stderr) as _), Stream::Err);
    sources
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let of = |script: &str| how(Command::new("sh").args(["-c", script]).status().expect("sh starts"));
        assert_eq!(of("exit 3"), "ended with status 3");
        assert_eq!(of("kill -9 $$"), "was killed by signal 9");
    }
}
