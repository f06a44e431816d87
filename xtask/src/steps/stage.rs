//! What a step may do while it runs: commands, with their output on the screen, and remarks.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use super::Outcome;
use super::console::{Console, Stream};
use crate::session::{Session, exit_code};
use crate::shell_line::shell_line;

/// Handed to the action of a step.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    session: &'a Session,
    console: &'a Console,
}

impl<'a> Stage<'a> {
    pub(super) fn new(session: &'a Session, console: &'a Console) -> Self {
        Self { session, console }
    }

    pub(crate) fn session(&self) -> &'a Session {
        self.session
    }

    /// Says something about the running step.
    pub(crate) fn note(&self, text: &str) {
        self.console.line(text);
    }

    /// Runs a command to its end, its output going to the screen. An error unless it succeeds.
    pub(crate) fn run(&self, command: &mut Command) -> anyhow::Result<Outcome> {
        self.run_reading(command, false)?;
        Ok(Outcome::Done)
    }

    /// Like [`Stage::run`], but gives back what the command writes to its standard output.
    pub(crate) fn capture(&self, command: &mut Command) -> anyhow::Result<Vec<u8>> {
        self.run_reading(command, true)
    }

    fn run_reading(&self, command: &mut Command, capture: bool) -> anyhow::Result<Vec<u8>> {
        let line = shell_line(command);
        self.note(&format!("$ {line}"));
        let draws = self.console.draws();
        if draws {
            command.stderr(Stdio::piped());
            if std::env::var_os("CARGO_TERM_COLOR").is_none() {
                command.env("CARGO_TERM_COLOR", "always");
            }
        }
        if draws || capture {
            command.stdout(Stdio::piped());
        }
        let interrupts = self.session.interrupts();
        let mut child = interrupts.spawn(command).with_context(|| format!("`{line}` cannot be started"))?;
        let captured = if capture { child.stdout.take() } else { None };
        let follower = self.console.follow(outputs(&mut child));
        let mut bytes = Vec::new();
        if let Some(mut stdout) = captured {
            stdout.read_to_end(&mut bytes)?;
        }
        let status = interrupts.wait(&mut child)?;
        drop(follower);
        if !status.success() {
            bail!("`{line}` ended with {}", exit_code(status));
        }
        Ok(bytes)
    }
}

fn outputs(child: &mut Child) -> Vec<(Box<dyn Read + Send>, Stream)> {
    let mut sources: Vec<(Box<dyn Read + Send>, Stream)> = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        sources.push((Box::new(stdout), Stream::Out));
    }
    if let Some(stderr) = child.stderr.take() {
        sources.push((Box::new(stderr), Stream::Err));
    }
    sources
}
