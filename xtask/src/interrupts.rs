//! Signals and child processes: what stops a task also stops what it started.
//!
//! Every child leads a process group of its own. A signal to xtask is passed on to that group exactly once, whether it
//! came from a terminal or from `kill`; and when the leader has ended, whatever is left of its group is killed. A task
//! with several children at a time hears of the signals instead, and stops them itself.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The exit code a shell gives to a process ended by this signal.
pub(crate) fn exit_code_of(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// What a task hears that keeps several children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// This process was told to stop.
    Signal(i32),
    /// A child has ended and waits to be reaped.
    Ended(Pid),
}

/// The signals this process has received, and the child they are passed on to.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    group: Option<Pid>,
    keeper: Option<Sender<Happening>>,
    first: Option<i32>,
}

impl Interrupts {
    /// Takes over SIGHUP, SIGINT and SIGTERM for this process.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupts = Self { state: Arc::default() };
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let seen = interrupts.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                seen.pass_on(signal);
            }
        })?;
        Ok(interrupts)
    }

    /// The first signal that was received, if any was.
    pub(crate) fn received(&self) -> Option<i32> {
        self.lock().first
    }

    /// Starts a child in a group of its own. Refused once a signal was received.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        // Held over the start, so that a signal meets either no child or a registered one.
        let mut state = self.lock();
        if let Some(signal) = state.first {
            return Err(io::Error::new(io::ErrorKind::Interrupted, format!("stopped by signal {signal}")));
        }
        let child = command.process_group(0).spawn()?;
        state.group = Some(Pid::from_child(&child));
        Ok(child)
    }

    /// While no child of [`Self::spawn`] runs, reports signals instead of ending this process: for callers with
    /// children that must be stopped first. With none, signals end it again.
    pub(crate) fn tell(&self, keeper: Option<Sender<Happening>>) {
        self.lock().keeper = keeper;
    }

    /// Waits for the child and then ends what is left of its group.
    pub(crate) fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        await_end(Pid::from_child(child))?;
        self.lock().group = None;
        reap(child)
    }

    fn pass_on(&self, signal: i32) {
        let mut state = self.lock();
        let again = state.first.is_some();
        state.first.get_or_insert(signal);
        match state.group {
            Some(group) => {
                let meant = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
                let _ = kill_process_group(group, if again { Signal::KILL } else { meant });
            }
            None => {
                let told = state.keeper.as_ref().is_some_and(|keeper| keeper.send(Happening::Signal(signal)).is_ok());
                if !told {
                    // Nothing runs that would have to be stopped first.
                    std::process::exit(i32::from(exit_code_of(signal)));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the end of a child once. The receiver has to [`reap`] it.
pub(crate) fn tell_of_end(child: &Child, keeper: Sender<Happening>) {
    let child = Pid::from_child(child);
    thread::spawn(move || {
        // An error says that there is no such child any more.
        let _ = await_end(child);
        // Without a receiver when everything has been stopped.
        let _ = keeper.send(Happening::Ended(child));
    });
}

/// Waits until a child has ended, without reaping it: while it is a zombie, its group id is not reused.
fn await_end(child: Pid) -> io::Result<()> {
    while let Err(error) = waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Ends what is left of the group of a child that has ended, and gives back how the child ended.
pub(crate) fn reap(child: &mut Child) -> io::Result<ExitStatus> {
    // An error says that the group is empty, which is what we want.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        command
    }

    fn idle() -> Interrupts {
        Interrupts { state: Arc::default() }
    }

    #[test]
    fn a_signal_reaches_the_child_and_its_status_comes_back() {
        let interrupts = idle();
        let mut child = interrupts
            .spawn(&mut shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"))
            .expect("sh starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        lines.read_line(&mut String::new()).expect("the child says that it is ready");
        interrupts.pass_on(SIGTERM);
        let status = interrupts.wait(&mut child).expect("the child ends");
        assert_eq!(status.code(), Some(7));
        assert_eq!(interrupts.received(), Some(SIGTERM));
    }

    #[test]
    fn a_second_signal_kills() {
        let interrupts = idle();
        let mut child =
            interrupts.spawn(&mut shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")).expect("sh starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        lines.read_line(&mut String::new()).expect("the child says that it is ready");
        interrupts.pass_on(SIGTERM);
        interrupts.pass_on(SIGTERM);
        let status = interrupts.wait(&mut child).expect("the child ends");
        assert_eq!(status.signal(), Some(9));
    }

    #[test]
    fn nothing_of_a_group_outlives_its_leader() {
        let interrupts = idle();
        let mut child = interrupts.spawn(&mut shell("sleep 600 & echo started")).expect("sh starts");
        let mut output = child.stdout.take().expect("stdout is piped");
        interrupts.wait(&mut child).expect("the leader ends");
        // The end of the pipe is reached only when the sleeper, which holds it too, is gone.
        let mut text = String::new();
        output.read_to_string(&mut text).expect("the pipe ends");
        assert_eq!(text, "started\n");
    }

    #[test]
    fn a_process_with_children_receives_signals_and_ends() {
        let interrupts = idle();
        let (keeper, heard) = std::sync::mpsc::channel();
        interrupts.tell(Some(keeper.clone()));
        let mut child = shell("exit 3").spawn().expect("sh starts");
        tell_of_end(&child, keeper);
        assert_eq!(heard.recv(), Ok(Happening::Ended(Pid::from_child(&child))));
        interrupts.pass_on(SIGTERM);
        assert_eq!(heard.recv(), Ok(Happening::Signal(SIGTERM)));
        assert_eq!(reap(&mut child).expect("it has ended").code(), Some(3));
    }

    #[test]
    fn nothing_starts_after_a_signal() {
        let interrupts = idle();
        interrupts.lock().first = Some(SIGINT);
        let refused = interrupts.spawn(&mut shell("true")).expect_err("no child may start");
        assert_eq!(refused.kind(), io::ErrorKind::Interrupted);
    }
}
