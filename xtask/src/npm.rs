//! Packages of Node: installed into a folder, and only when what it asks for has changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::steps::{Outcome, Stage};
use crate::tools::NPM;

/// A copy of what was asked for when the packages were installed; npm removes it together with them.
const STAMP: &str = "node_modules/.installed-for";

/// A folder with a `package.json`.
#[derive(Debug)]
pub(crate) struct NodeFolder {
    path: PathBuf,
}

impl NodeFolder {
    /// The folder at this path below the root of the workspace.
    pub(crate) fn new(root: &Path, path: &str) -> Self {
        Self { path: root.join(path) }
    }

    /// A file below the folder.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// Installs what the folder asks for, exactly as locked if it is locked.
    pub(crate) fn install(&self, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
        let folder = self.path.display();
        ensure!(self.join("package.json").is_file(), "{folder} has no package.json");
        if self.is_up_to_date() {
            stage.note(&format!("{folder}: packages are up to date"));
            return Ok(Outcome::Done);
        }
        let verb = if self.join("package-lock.json").is_file() { "ci" } else { "install" };
        let mut command = stage.session().command(NPM.path()?);
        command
            .args([verb, "--no-audit", "--no-fund"])
            .current_dir(&self.path)
            // The browser is the machine's own; packages that would download another are told not to.
            .env("PUPPETEER_SKIP_DOWNLOAD", "1")
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        stage.run(&mut command)?;
        if self.join("node_modules").is_dir() {
            let stamp = self.join(STAMP);
            fs::write(&stamp, self.wanted()).with_context(|| format!("{} cannot be written", stamp.display()))?;
        }
        Ok(Outcome::Done)
    }

    fn is_up_to_date(&self) -> bool {
        fs::read_to_string(self.join(STAMP)).is_ok_and(|installed| installed == self.wanted())
    }

    fn wanted(&self) -> String {
        ["package.json", "package-lock.json"]
            .map(|name| fs::read_to_string(self.join(name)).unwrap_or_default())
            .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_lock_asks_for_an_installation() {
        let path = std::env::temp_dir().join(format!("xtask-npm-{}", std::process::id()));
        fs::create_dir_all(path.join("node_modules")).expect("the folder can be made");
        let folder = NodeFolder { path: path.clone() };
        fs::write(folder.join("package.json"), "{}").expect("the folder can be written to");
        assert!(!folder.is_up_to_date(), "nothing was installed yet");
        fs::write(folder.join(STAMP), folder.wanted()).expect("the folder can be written to");
        assert!(folder.is_up_to_date());
        fs::write(folder.join("package-lock.json"), "{}").expect("the folder can be written to");
        assert!(!folder.is_up_to_date(), "the lock has changed");
        fs::remove_dir_all(path).expect("the folder can be removed");
    }
}
