//! Packages of Debian, installed without asking when this process is allowed to.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use rustix::process::geteuid;

use crate::steps::{Outcome, Stage};

/// The program that Debian asks before a package starts its service: tests need programs, not servers that keep running.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Whether packages can be installed here: Debian or a child of it, as root.
pub(crate) fn is_possible() -> bool {
    geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

/// Brings the package lists up to date and installs the packages. Their services are not started.
pub(crate) fn install(packages: &[&str], stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let apt = |args: &[&str]| {
        let mut command = stage.session().command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    stage.run(&mut apt(&["update", "--quiet"]))?;
    let _policy = ServicePolicy::refuse(Path::new(POLICY)).context("services cannot be kept from starting")?;
    let mut command = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    stage.run(command.args(packages))
}

/// A policy that lets no service start, until it is dropped. A policy that is there already stays.
struct ServicePolicy<'a>(Option<&'a Path>);

impl<'a> ServicePolicy<'a> {
    fn refuse(path: &'a Path) -> io::Result<Self> {
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                let policy = Self(Some(path));
                io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")?;
                Ok(policy)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

impl Drop for ServicePolicy<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            // One that stays is harmless for the next installation.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::{env, fs, process};

    use super::ServicePolicy;

    #[test]
    fn services_are_refused_until_the_packages_are_installed_and_a_policy_of_the_machine_stays() {
        let path = env::temp_dir().join(format!("roomwire-policy-{}", process::id()));
        let policy = ServicePolicy::refuse(&path).expect("writes");
        assert_eq!(Command::new(&path).status().expect("runs").code(), Some(101));
        drop(ServicePolicy::refuse(&path).expect("finds it"));
        assert!(path.exists());
        drop(policy);
        assert!(!path.exists());
        fs::write(&path, "of the machine").expect("writes");
        drop(ServicePolicy::refuse(&path).expect("finds it"));
        assert_eq!(fs::read_to_string(&path).expect("reads"), "of the machine");
        fs::remove_file(&path).expect("removes");
    }
}
