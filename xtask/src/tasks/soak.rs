//! `cargo xtask soak`: clients come and go for long, and the memory of nodes must not grow.

use std::process::ExitCode;

use crate::cli::SoakArgs;
use crate::session::Session;
use crate::steps::{Step, run_all};
use crate::tools::{self, REDIS};

/// Builds the test with optimizations and runs it. It prints a line every ten seconds.
pub(crate) fn run(session: &Session, args: &SoakArgs) -> anyhow::Result<ExitCode> {
    let mut command = session.cargo(["test", "--release", "--package", "roomwire-chaos", "--test", "soak"]);
    command.args(["--", "--ignored", "--nocapture"]).env("SOAK_MINUTES", args.minutes.to_string());
    let again = format!("cargo xtask soak --minutes {}", args.minutes);
    let steps = vec![
        Step::new("tools", &again, |stage| tools::provide(&[&REDIS], stage)),
        Step::command("soak", command).repeated_by(&again).needs(&["tools"]),
    ];
    let report = run_all(session, steps);
    print!("{report}");
    Ok(report.exit_code())
}
