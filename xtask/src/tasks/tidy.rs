//! `cargo xtask tidy`: says everything that breaks a rule of this repository.

use std::process::ExitCode;

use crate::session::Session;
use crate::tidy;

/// Prints all violations; fails if there are any.
pub(crate) fn run(session: &Session) -> anyhow::Result<ExitCode> {
    let checked = tidy::check(session)?;
    for violation in &checked.violations {
        println!("{violation}");
    }
    println!("{}", checked.summary());
    Ok(if checked.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
