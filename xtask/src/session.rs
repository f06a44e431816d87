//! What every task needs: the workspace, cargo, and the signal handler.

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;
use cargo_metadata::{Metadata, MetadataCommand};

use crate::interrupts::{Interrupts, exit_code_of};
use crate::shell_line::shell_line;

/// One run of xtask.
#[derive(Debug)]
pub(crate) struct Session {
    root: PathBuf,
    interrupts: Interrupts,
    terminal: bool,
}

impl Session {
    /// Finds the workspace and takes over the signals.
    pub(crate) fn start() -> anyhow::Result<Self> {
        // At run time when cargo says it, so that a moved checkout does not look in the old place.
        let own =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own.parent().context("xtask does not lie inside a workspace")?;
        Ok(Self {
            root: root.to_path_buf(),
            interrupts: Interrupts::install().context("the signal handlers cannot be set")?,
            terminal: io::stderr().is_terminal(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    /// Whether a person is watching.
    pub(crate) fn terminal(&self) -> bool {
        self.terminal
    }

    /// Whether this is a run of CI rather than a person's checkout.
    pub(crate) fn in_ci(&self) -> bool {
        env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
    }

    /// A command that runs in the root of the workspace, without standard input.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// The cargo that runs this xtask, so that a `+toolchain` is kept.
    pub(crate) fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.command(cargo_program());
        command.args(args);
        command
    }

    /// What `cargo metadata` says about the workspace and everything it depends on.
    pub(crate) fn metadata(&self) -> anyhow::Result<Metadata> {
        MetadataCommand::new()
            .cargo_path(cargo_program())
            .current_dir(&self.root)
            .exec()
            .context("cargo metadata failed")
    }

    /// Runs a command with this process's own output and gives back how it ended.
    pub(crate) fn hand_over(&self, command: &mut Command) -> anyhow::Result<u8> {
        let line = shell_line(command);
        let mut child = self.interrupts.spawn(command).with_context(|| format!("`{line}` cannot be started"))?;
        let status = self.interrupts.wait(&mut child)?;
        Ok(exit_code(status))
    }
}

fn cargo_program() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The status as a shell would report it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;

    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => exit_code_of(signal),
        (None, None) => u8::MAX,
    }
}
