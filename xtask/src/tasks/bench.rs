//! `cargo xtask bench`: the benchmark, built with optimizations.

use std::cell::OnceCell;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::BenchArgs;
use crate::executable;
use crate::session::Session;
use crate::steps::{Outcome, Step, run_all};

const PACKAGE: &str = "roomwire-bench";

/// Runs the benchmark until it ends and gives back its status.
pub(crate) fn run(session: &Session, bench: &BenchArgs) -> anyhow::Result<ExitCode> {
    let program = OnceCell::new();
    let build = Step::new("build", format!("cargo build --release --package {PACKAGE}"), |stage| {
        let [path] = executable::build(stage, [PACKAGE], true)?;
        program.get_or_init(|| path);
        Ok(Outcome::Done)
    });
    let report = run_all(session, vec![build]);
    if !report.succeeded() {
        eprint!("{report}");
        return Ok(report.exit_code());
    }
    let mut command = session.command(program.get().context("the build gave no program")?);
    if bench.quick {
        command.arg("--quick");
    }
    Ok(ExitCode::from(session.hand_over(command.args(&bench.args))?))
}
