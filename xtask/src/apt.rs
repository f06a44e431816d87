//! Packages of Debian, installed without asking when this process is allowed to.

use std::path::Path;

use rustix::process::geteuid;

use crate::steps::{Outcome, Stage};

/// Whether packages can be installed here: Debian or a child of it, as root.
pub(crate) fn is_possible() -> bool {
    geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

/// Brings the package lists up to date and installs the packages.
pub(crate) fn install(packages: &[&str], stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let apt = |args: &[&str]| {
        let mut command = stage.session().command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    stage.run(&mut apt(&["update", "--quiet"]))?;
    let mut command = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    stage.run(command.args(packages))
}
