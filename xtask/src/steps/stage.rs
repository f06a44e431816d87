//! What a step may do while it runs: commands, with their output on the screen, and remarks.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use super::Outcome;
use super::console::Console;
use super::screen::{Screen, Stream};
use crate::relay::{Relay, Source};
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

    /// Where to write while steps run, and after.
    pub(crate) fn screen(&self) -> &'a Screen {
        self.console.screen()
    }

    /// Says something about the running step.
    pub(crate) fn note(&self, text: &str) {
        self.screen().line(text);
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
        let relay = Relay::start(outputs(&mut child, self.screen()));
        let mut bytes = Vec::new();
        if let Some(mut stdout) = captured {
            stdout.read_to_end(&mut bytes)?;
        }
        let status = interrupts.wait(&mut child)?;
        drop(relay);
        if !status.success() {
            bail!("`{line}` ended with {}", exit_code(status));
        }
        Ok(bytes)
    }
}

fn outputs(child: &mut Child, screen: &Screen) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut add = |source: Option<Box<dyn Read + Send>>, stream| {
        let screen = screen.clone();
        sources.extend(source.map(|source| -> Source { (source, Box::new(move |line| screen.write(stream, line))) }));
    };
    add(child.stdout.take().map(|stdout| Box::new(stdout) as _), Stream::Out);
    add(child.stderr.take().map(|stderr| Box::new(stderr) as _), Stream::Err);
    sources
}
