//! An example in one process.

use std::cell::OnceCell;
use std::env;
use std::process::ExitCode;

use anyhow::Context;

use super::announce::{Announcement, address};
use super::{built, node, ports};
use crate::cli::{Example, ExampleArgs};
use crate::session::Session;
use crate::steps::run_all;

/// Builds first and runs then, so that a signal meets the example itself and not a build around it.
pub(super) fn run(
    session: &Session,
    example: &ExampleArgs,
    name: &'static str,
    package: &'static str,
) -> anyhow::Result<ExitCode> {
    let program = OnceCell::new();
    let steps = built::steps(example, package, &[], &format!("cargo xtask example {name}"), &program);
    let report = run_all(session, steps);
    if !report.succeeded() {
        eprint!("{report}");
        return Ok(report.exit_code());
    }
    let program = program.get().context("the build gave no program")?;
    let host = env::var("ROOMWIRE_HOST").ok();
    let port = env::var("ROOMWIRE_PORT").ok();
    let address = address(host.as_deref(), port.as_deref());
    let mut command = session.command(program);
    command.args(&example.args);
    if example.name == Example::Chat {
        ports::give_missing_operations_port(&mut command)?;
    }
    if let Some(url) = &example.redis {
        command.env("ROOMWIRE_STATE__URLS", url);
        if let Some(address) = address.filter(|_| env::var_os("ROOMWIRE_NODE_ID").is_none()) {
            command.env("ROOMWIRE_NODE_ID", node::name(address.port()));
        }
    }
    let announcement = Announcement::start(name, address);
    let code = session.hand_over(&mut command)?;
    drop(announcement);
    Ok(ExitCode::from(code))
}
