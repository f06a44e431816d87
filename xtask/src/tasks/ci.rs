//! `cargo xtask ci`: everything that must hold before a change is taken.

use std::process::{ExitCode, Stdio};

use anyhow::bail;

use super::{package, test};
use crate::cli::TestArgs;
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tidy;

/// Runs all checks and all tests and prints what became of them.
pub(crate) fn run(session: &Session) -> anyhow::Result<ExitCode> {
    let everything = TestArgs::default();
    let mut steps = vec![
        Step::new("tidy", "cargo xtask tidy", tidy_step),
        Step::command("fmt", session.cargo(["fmt", "--all", "--check"])),
    ];
    steps.extend(test::preparation());
    steps.extend([
        Step::command("clippy", clippy(session)),
        Step::command("docs", docs(session)),
        Step::new("deny", "cargo deny check", deny),
        package::step(session),
    ]);
    steps.extend(test::suites(session, &everything));
    let report = run_all(session, steps);
    print!("{report}");
    Ok(report.exit_code())
}

fn tidy_step(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let checked = tidy::check(stage.session())?;
    for violation in &checked.violations {
        stage.note(&violation.to_string());
    }
    if !checked.violations.is_empty() {
        bail!("{}", checked.summary());
    }
    stage.note(&checked.summary());
    Ok(Outcome::Done)
}

fn clippy(session: &Session) -> std::process::Command {
    session.cargo(["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
}

fn docs(session: &Session) -> std::process::Command {
    let mut command = session.cargo(["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// Licences, advisories and sources of what we depend on, when the program that knows them is there.
fn deny(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let session = stage.session();
    let installed = session
        .cargo(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        return Ok(Outcome::Skipped("cargo-deny is not installed (cargo install cargo-deny)".into()));
    }
    stage.run(&mut session.cargo(["deny", "check"]))
}
