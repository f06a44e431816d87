//! `cargo xtask ci`: everything that must hold before a change is taken.

use std::process::ExitCode;

use anyhow::bail;

use super::cargo_tool::{self, CARGO_DENY};
use super::{bench, fuzz, package, test};
use crate::cli::{CiArgs, FuzzArgs, TestArgs};
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tidy;

/// For how many seconds each fuzz target runs on a change, and in a full run.
const FUZZ_SECONDS: [u64; 2] = [15, 60];

/// Runs all checks and all tests and prints their outcomes.
pub(crate) fn run(session: &Session, args: &CiArgs) -> anyhow::Result<ExitCode> {
    let everything = TestArgs { full: args.full, ..TestArgs::default() };
    let fuzzing = FuzzArgs { seconds: FUZZ_SECONDS[usize::from(args.full)], filter: None };
    let mut steps = vec![
        Step::new("tidy", "cargo xtask tidy", tidy_step),
        Step::command("fmt", session.cargo(["fmt", "--all", "--check"])),
    ];
    steps.extend(test::preparation());
    steps.extend([
        Step::command("clippy", clippy(session)),
        Step::command("docs", docs(session)),
        Step::command("core alone", core_alone(session)),
        Step::new("deny", "cargo deny check", deny),
        package::step(session),
    ]);
    steps.extend(test::suites(session, &everything));
    steps.push(bench::quick().needs(&["tools"]));
    steps.extend(fuzz::steps(&fuzzing));
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

/// Without the features that other crates turn on: tokio belongs to the contract tests.
fn core_alone(session: &Session) -> std::process::Command {
    session.cargo(["check", "--package", "roomwire-core"])
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
