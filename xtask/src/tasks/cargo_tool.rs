//! Programs that cargo runs as its own commands: found, or built from their source.

use std::process::Stdio;

use anyhow::bail;

use crate::session::Session;
use crate::steps::{Outcome, Stage};

/// A command of cargo's that does not come with it.
#[derive(Debug)]
pub(crate) struct CargoTool {
    /// As cargo calls it.
    command: &'static str,
    /// The crate that holds it.
    package: &'static str,
    /// The version that is installed where there is none.
    version: &'static str,
}

/// Checks licences, sources and known vulnerabilities of dependencies.
pub(crate) const CARGO_DENY: CargoTool = CargoTool { command: "deny", package: "cargo-deny", version: "0.20.2" };

/// Builds programs that try random bytes.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool { command: "fuzz", package: "cargo-fuzz", version: "0.13.2" };

impl CargoTool {
    /// Whether it is there.
    pub(crate) fn is_installed(&self, session: &Session) -> bool {
        session
            .cargo([self.command, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Makes sure that the tool is there, building it when it is not: that takes minutes.
pub(crate) fn provide(tool: &CargoTool, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let session = stage.session();
    if tool.is_installed(session) {
        return Ok(Outcome::Done);
    }
    let CargoTool { package, version, .. } = tool;
    stage.note(&format!("{package} is not installed: building version {version}, which takes some minutes"));
    stage.run(&mut session.cargo(["install", package, "--locked", "--version", version]))?;
    if !tool.is_installed(session) {
        bail!("{package} was installed, but cargo does not find it; is the folder of cargo's programs in PATH?");
    }
    Ok(Outcome::Done)
}
