//! Packages of Python: installed into a virtual environment, and only when their list has changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::apt;
use crate::session::Session;
use crate::steps::{Outcome, Stage};
use crate::tools::PYTHON;

/// The packages of the end-to-end tests, relative to the root of the workspace.
const REQUIREMENTS: &str = "e2e/js/support/python-requirements.txt";

/// What pip logs when it gets no connection to a package index.
const NO_CONNECTION: [&str; 3] =
    ["after connection broken by", "Failed to establish a new connection", "Temporary failure in name resolution"];

/// The virtual environment of the end-to-end tests.
#[derive(Debug)]
pub(crate) struct PythonEnvironment {
    folder: PathBuf,
    requirements: PathBuf,
}

impl PythonEnvironment {
    /// The one of this workspace.
    pub(crate) fn new(root: &Path) -> Self {
        Self { folder: root.join("target/e2e-python"), requirements: root.join(REQUIREMENTS) }
    }

    /// Creates the environment with its packages. Skipped only where pip cannot reach a package index.
    pub(crate) fn install(&self, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
        if self.python().is_some() {
            stage.note(&format!("{}: packages are up to date", self.folder.display()));
            return Ok(Outcome::Done);
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("{} cannot be removed", self.folder.display()))?;
        }
        self.create(stage)?;
        let log = self.folder.join("pip.log");
        let mut pip = stage.session().command(self.folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--log"]);
        if let Err(error) = stage.run(pip.arg(&log).arg("--requirement").arg(&self.requirements)) {
            if is_unreachable(&fs::read_to_string(&log).unwrap_or_default()) {
                return Ok(Outcome::Skipped("pip cannot reach a package index".into()));
            }
            return Err(error);
        }
        let stamp = self.stamp();
        fs::write(&stamp, self.wanted()).with_context(|| format!("{} cannot be written", stamp.display()))?;
        Ok(Outcome::Done)
    }

    /// The interpreter, if the packages are installed as listed.
    pub(crate) fn python(&self) -> Option<PathBuf> {
        let is_up_to_date = fs::read_to_string(self.stamp()).is_ok_and(|installed| installed == self.wanted());
        is_up_to_date.then(|| self.folder.join("bin/python"))
    }

    /// Debian has the module `venv` in a package of its own.
    fn create(&self, stage: &Stage<'_>) -> anyhow::Result<()> {
        let session = stage.session();
        let create = |session: &Session| -> anyhow::Result<_> {
            let mut command = session.command(PYTHON.path()?);
            command.args(["-m", "venv"]).arg(&self.folder);
            Ok(command)
        };
        let created = stage.run(&mut create(session)?);
        if created.is_err() && apt::is_possible() {
            apt::install(&["python3-venv"], stage)?;
            stage.run(&mut create(session)?)?;
        } else {
            created.context("on Debian: apt-get install python3-venv")?;
        }
        Ok(())
    }

    /// A copy of the list for which the packages were installed.
    fn stamp(&self) -> PathBuf {
        self.folder.join("installed-for.txt")
    }

    fn wanted(&self) -> String {
        fs::read_to_string(&self.requirements).unwrap_or_default()
    }
}

fn is_unreachable(pip_log: &str) -> bool {
    NO_CONNECTION.iter().any(|line| pip_log.contains(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_list_of_packages_asks_for_an_installation() {
        let root = std::env::temp_dir().join(format!("xtask-python-{}", std::process::id()));
        let environment = PythonEnvironment::new(&root);
        fs::create_dir_all(root.join("e2e/js/support")).expect("the folder can be made");
        fs::create_dir_all(&environment.folder).expect("the folder can be made");
        fs::write(&environment.requirements, "one==1\n").expect("the folder can be written to");
        assert_eq!(environment.python(), None, "nothing was installed yet");
        fs::write(environment.stamp(), environment.wanted()).expect("the folder can be written to");
        assert_eq!(environment.python(), Some(root.join("target/e2e-python/bin/python")));
        fs::write(&environment.requirements, "one==2\n").expect("the folder can be written to");
        assert_eq!(environment.python(), None, "the list has changed");
        fs::remove_dir_all(root).expect("the folder can be removed");
    }

    #[test]
    fn only_a_missing_connection_excuses() {
        let retrying =
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError'";
        assert!(is_unreachable(retrying));
        assert!(!is_unreachable("ERROR: No matching distribution found for python-socketio==99"));
    }
}
