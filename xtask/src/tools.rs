//! The programs that tests and examples need besides Rust: found, installed when that is possible, or named.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::apt;
use crate::steps::{Outcome, Stage};

/// A program of the machine.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Its name and the other names it goes by.
    commands: &'static [&'static str],
    /// What needs it, for the line that asks for it.
    why: &'static str,
    /// The package of Debian that holds it.
    package: &'static str,
    /// The lowest major version that does, where an older one is likely to be met.
    oldest: Option<u32>,
    /// A variable that names another path for it.
    variable: Option<&'static str>,
}

/// Runs the end-to-end tests and the official client.
pub(crate) const NODE: Tool = Tool {
    commands: &["node", "nodejs"],
    why: "the official Socket.IO client and the end-to-end tests run on it",
    package: "nodejs",
    // What the driver of the browser asks for.
    oldest: Some(20),
    variable: None,
};

/// Installs the official client.
pub(crate) const NPM: Tool = Tool {
    commands: &["npm"],
    why: "it installs the official Socket.IO client",
    package: "npm",
    oldest: None,
    variable: None,
};

/// Runs the clients of the end-to-end tests that are written in Python.
pub(crate) const PYTHON: Tool = Tool {
    commands: &["python3"],
    why: "the end-to-end tests run clients that are written in Python",
    package: "python3-venv",
    oldest: None,
    variable: None,
};

/// Stands in front of a cluster of nodes.
pub(crate) const NGINX: Tool = Tool {
    commands: &["nginx"],
    why: "it stands in front of the nodes of a cluster",
    package: "nginx",
    oldest: None,
    variable: None,
};

/// Keeps the state of a cluster.
pub(crate) const REDIS: Tool = Tool {
    commands: &["redis-server"],
    why: "it keeps the state of a cluster",
    package: "redis-server",
    // The first with sharded messages.
    oldest: Some(7),
    variable: None,
};

/// Checks metrics, alert rules and their tests.
pub(crate) const PROMTOOL: Tool = Tool {
    commands: &["promtool"],
    why: "it checks the metrics, and the alert rules of docs/monitoring",
    package: "prometheus",
    oldest: None,
    variable: None,
};

/// Builds what drives the programs that try random bytes.
pub(crate) const CXX: Tool = Tool {
    commands: &["c++", "g++", "clang++"],
    why: "the fuzzer that is linked to the fuzz targets is written in C++",
    package: "g++",
    oldest: None,
    variable: None,
};

/// Opens the page of the chat in the end-to-end tests.
pub(crate) const CHROMIUM: Tool = Tool {
    commands: &["chromium", "chromium-browser", "google-chrome"],
    why: "the end-to-end tests open the chat in it",
    package: "chromium",
    oldest: None,
    variable: Some("ROOMWIRE_CHROMIUM"),
};

impl Tool {
    /// Where it is. An error says what to install.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        let Self { commands, why, package, oldest, .. } = self;
        let name = commands[0];
        let path = self
            .find()
            .with_context(|| format!("{name} is not installed: {why}; on Debian: apt-get install {package}"))?;
        if let Some(oldest) = oldest
            && major_version(&path).is_none_or(|major| major < *oldest)
        {
            bail!("{} is older than version {oldest}: {why}; install a newer {name}", path.display());
        }
        Ok(path)
    }

    fn find(&self) -> Option<PathBuf> {
        let chosen = self.variable.and_then(env::var_os).map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let found = |path: &OsStr| self.commands.iter().find_map(|name| on_path(name, path));
        // Debian keeps servers where only root looks for programs.
        chosen.or_else(|| found(&path)).or_else(|| found("/usr/local/sbin:/usr/sbin".as_ref()))
    }
}

/// Makes sure that the tools are there. Installs missing ones where that needs no confirmation.
pub(crate) fn provide(tools: &[&Tool], stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let missing: Vec<_> = tools.iter().filter(|tool| tool.find().is_none()).collect();
    if !missing.is_empty() && apt::is_possible() {
        let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
        stage.note(&format!("installing {}", packages.join(", ")));
        apt::install(&packages, stage)?;
    }
    let mut requests = Vec::new();
    for tool in tools {
        match tool.path() {
            Ok(path) => stage.note(&path.display().to_string()),
            Err(request) => requests.push(request.to_string()),
        }
    }
    if requests.is_empty() { Ok(Outcome::Done) } else { bail!("\n{}", requests.join("\n")) }
}

fn on_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The first number that the program answers to `--version`.
fn major_version(path: &Path) -> Option<u32> {
    let answer = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
    first_number(&String::from_utf8_lossy(&answer.stdout))
}

fn first_number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_programs_answer() {
        assert_eq!(first_number("v20.11.1\n"), Some(20));
        assert_eq!(first_number("Chromium 128.0.1"), Some(128));
        assert_eq!(first_number("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"), Some(7));
        assert_eq!(first_number("none"), None);
    }

    #[test]
    fn only_an_executable_file_counts() {
        assert!(on_path("sh", "/bin:/usr/bin".as_ref()).is_some());
        assert_eq!(on_path("passwd", "/etc".as_ref()), None);
        assert_eq!(on_path("no-such-program", "/bin".as_ref()), None);
    }

    #[test]
    fn a_missing_tool_is_asked_for_in_one_line() {
        let tool = Tool {
            commands: &["no-such-program"],
            why: "tests need it",
            package: "such",
            oldest: None,
            variable: None,
        };
        let request = tool.path().expect_err("there is no such program").to_string();
        assert_eq!(request, "no-such-program is not installed: tests need it; on Debian: apt-get install such");
    }

    #[test]
    fn a_tool_that_is_too_old_is_asked_for_too() {
        // `sh` answers no version, which is worse than an old one.
        let tool = Tool { commands: &["sh"], why: "tests need it", package: "sh", oldest: Some(20), variable: None };
        let request = tool.path().expect_err("it is too old").to_string();
        assert!(request.ends_with("/sh is older than version 20: tests need it; install a newer sh"), "{request}");
    }
}
