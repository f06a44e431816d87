//! `cargo xtask ci`: everything that must hold before a change is taken.

use std::process::ExitCode;

use anyhow::bail;

use super::cargo_tool::{self, CARGO_DENY};
use super::{fuzz, package, test};
use crate::cli::{FuzzArgs, TestArgs};
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tidy;

/// Runs all checks and all tests and prints what became of them.
pub(crate) fn run(session: &Session) -> anyhow::Result<ExitCode> {
    let (everything, a_minute_each) = (TestArgs::default(), FuzzArgs::default());
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
    steps.extend(fuzz::steps(&a_minute_each));
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

/// Licences, bans and sources of what we depend on, and known vulnerabilities in it.
fn deny(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let session = stage.session();
    cargo_tool::provide(&CARGO_DENY, stage)?;
    stage.run(&mut session.cargo(["deny", "check", "bans", "licenses", "sources"]))?;
    // The database is fetched from GitHub, which not every machine may reach. Only that excuses.
    if let Err(problem) = stage.run(&mut session.cargo(["deny", "fetch", "db"])) {
        stage.note(&format!(
            "NOT CHECKED FOR KNOWN VULNERABILITIES: the advisory database cannot be fetched ({problem})"
        ));
        return Ok(Outcome::Skipped("licences, bans and sources hold; the advisory database cannot be fetched".into()));
    }
    stage.run(&mut session.cargo(["deny", "check", "advisories"]))
}
