//! `cargo xtask example`: one of the examples, with what it needs.

use std::cell::OnceCell;
use std::env;
use std::process::ExitCode;

use anyhow::Context;

use super::announce::{Announcement, address};
use crate::chat_page;
use crate::cli::{Example, ExampleArgs};
use crate::executable;
use crate::session::Session;
use crate::shell_line::shell_line;
use crate::steps::{Outcome, Step, run_all};
use crate::tools::{self, NODE, NPM};

/// Runs the example until it ends and gives back its status.
pub(crate) fn run(session: &Session, example: &ExampleArgs) -> anyhow::Result<ExitCode> {
    match example.name {
        Example::Chat => serve(session, example, "chat", "example-chat"),
        Example::Mount => serve(session, example, "mount", "example-mount"),
        Example::NoSocket => test(session, example),
    }
}

/// Builds first and runs then, so that a signal meets the example itself and not a build around it.
fn serve(
    session: &Session,
    example: &ExampleArgs,
    name: &'static str,
    package: &'static str,
) -> anyhow::Result<ExitCode> {
    let program = OnceCell::new();
    let repeat = format!("cargo xtask example {name}");
    let mut steps = Vec::new();
    if example.name == Example::Chat {
        steps.push(Step::new("tools", &repeat, |stage| tools::provide(&[&NODE, &NPM], stage)));
        steps.push(Step::new("chat page", &repeat, chat_page::provide).needs(&["tools"]));
    }
    let needs = steps.last().map(|_| "chat page");
    let build = Step::new("build", format!("cargo build --package {package}"), |stage| {
        let [path] = executable::build(stage, [package], example.release)?;
        program.get_or_init(|| path);
        Ok(Outcome::Done)
    });
    steps.push(build.needs(needs.as_slice()));

    let report = run_all(session, steps);
    if !report.succeeded() {
        eprint!("{report}");
        return Ok(report.exit_code());
    }
    let program = program.get().context("the build gave no program")?;
    let host = env::var("ROOMWIRE_HOST").ok();
    let port = env::var("ROOMWIRE_PORT").ok();
    let announcement = Announcement::start(name, address(host.as_deref(), port.as_deref()));
    let code = session.hand_over(session.command(program).args(&example.args))?;
    drop(announcement);
    Ok(ExitCode::from(code))
}

/// The example without a socket is a test: running it is running that test.
fn test(session: &Session, example: &ExampleArgs) -> anyhow::Result<ExitCode> {
    let mut command = session.cargo(["test", "--package", "example-no-socket"]);
    if example.release {
        command.arg("--release");
    }
    if !example.args.is_empty() {
        command.arg("--").args(&example.args);
    }
    eprintln!("$ {}", shell_line(&command));
    Ok(ExitCode::from(session.hand_over(&mut command)?))
}
