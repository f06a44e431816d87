//! Steps that run one after another, and what became of each.

mod console;
mod screen;
mod stage;
mod summary;

use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use crate::interrupts::exit_code_of;
use crate::session::Session;
use crate::shell_line::shell_line;

use self::console::Console;
pub(crate) use self::screen::{Screen, Stream};
pub(crate) use self::stage::Stage;
pub(crate) use self::summary::Report;
use self::summary::{Row, Verdict};

/// How an action ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Left out, and why.
    Skipped(String),
}

type Action<'a> = Box<dyn FnOnce(&Stage<'_>) -> anyhow::Result<Outcome> + 'a>;

/// One thing to do.
pub(crate) struct Step<'a> {
    name: &'static str,
    needs: Vec<&'static str>,
    repeat: String,
    action: Action<'a>,
}

impl<'a> Step<'a> {
    /// A step whose work is the function; `repeat` is the command that does it alone.
    pub(crate) fn new(
        name: &'static str,
        repeat: impl Into<String>,
        action: impl FnOnce(&Stage<'_>) -> anyhow::Result<Outcome> + 'a,
    ) -> Self {
        Self { name, needs: Vec::new(), repeat: repeat.into(), action: Box::new(action) }
    }

    /// A step that is one command, which is also how to repeat it.
    pub(crate) fn command(name: &'static str, mut command: Command) -> Self {
        let line = shell_line(&command);
        Self::new(name, line, move |stage| stage.run(&mut command))
    }

    /// Skips this step when one of those failed.
    pub(crate) fn needs(mut self, names: &[&'static str]) -> Self {
        self.needs.extend(names);
        self
    }

    /// Replaces the command that repeats this step.
    pub(crate) fn repeated_by(mut self, repeat: impl Into<String>) -> Self {
        self.repeat = repeat.into();
        self
    }
}

/// Runs the steps in order. A failed step stops only those that need it; a signal stops all that follow.
pub(crate) fn run_all(session: &Session, steps: Vec<Step<'_>>) -> Report {
    let console = Console::new(session.terminal(), steps.len());
    let mut report = Report::default();
    for (index, step) in steps.into_iter().enumerate() {
        let interrupted = session.interrupts().received().is_some();
        let missing = step.needs.iter().find(|need| report.is_short_of(need));
        let row = if interrupted {
            Row::skipped(step.name, "stopped by a signal")
        } else if let Some(need) = missing {
            Row::skipped(step.name, format!("needs the step {need}"))
        } else {
            run_one(session, &console, index, step)
        };
        console.ended(index, &row);
        report.add(row);
    }
    console.close();
    report.stopped_with(session.interrupts().received().map(exit_code_of))
}

fn run_one(session: &Session, console: &Console, index: usize, step: Step<'_>) -> Row {
    console.started(index, step.name);
    let start = Instant::now();
    let result = (step.action)(&Stage::new(session, console)).context(step.name);
    let verdict = match result {
        Ok(Outcome::Done) => Verdict::Passed,
        Ok(Outcome::Skipped(why)) => Verdict::Skipped(why),
        Err(error) => {
            console.screen().line(&format!("{error:#}"));
            Verdict::Failed { repeat: step.repeat }
        }
    };
    Row { name: step.name, verdict, took: start.elapsed() }
}
