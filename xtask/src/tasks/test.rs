//! `cargo xtask test`: sets up and runs all tests.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};

use crate::chat_page;
use crate::cli::{Suite, TestArgs};
use crate::executable::{self, RELEASED};
use crate::npm::NodeFolder;
use crate::python::PythonEnvironment;
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tools::{self, CHROMIUM, NGINX, NODE, NPM, PROMTOOL, PYTHON, REDIS};

/// The package of the attacks.
const ATTACKS: &str = "roomwire-hostile";

/// Set for tests in a full run: randomized tests then run for more rounds.
const FULL: &str = "FULL_TESTS";

/// Runs what was selected and prints what became of it.
pub(crate) fn run(session: &Session, selection: &TestArgs) -> anyhow::Result<ExitCode> {
    let mut steps = match selection.only {
        None | Some(Suite::E2e) => preparation(),
        Some(Suite::Rust) => {
            vec![Step::new("tools", repeat(selection.only, None), |stage| tools::provide(&[&REDIS, &PROMTOOL], stage))]
        }
        Some(Suite::Docs) => Vec::new(),
    };
    steps.extend(suites(session, selection));
    let report = run_all(session, steps);
    print!("{report}");
    Ok(report.exit_code())
}

/// What the tests need from outside of the workspace; but for Redis, it is the end-to-end tests that do.
pub(super) fn preparation<'a>() -> Vec<Step<'a>> {
    let repeat = repeat(Some(Suite::E2e), None);
    vec![
        Step::new("tools", &repeat, |stage| {
            tools::provide(&[&NODE, &NPM, &PYTHON, &CHROMIUM, &REDIS, &NGINX, &PROMTOOL], stage)
        }),
        Step::new("chat page", &repeat, chat_page::provide).needs(&["tools"]),
        Step::new("e2e packages", &repeat, |stage| e2e_folder(stage.session()).install(stage)).needs(&["tools"]),
        Step::new("python packages", &repeat, |stage| PythonEnvironment::new(stage.session().root()).install(stage))
            .needs(&["tools"]),
    ]
}

/// The tests themselves. Those of the end-to-end suite need the steps of [`preparation`] before them.
pub(super) fn suites<'a>(session: &Session, selection: &'a TestArgs) -> Vec<Step<'a>> {
    let filter = selection.filter.as_deref();
    let wanted = |suite| selection.only.is_none_or(|only| only == suite);
    let mut steps = Vec::new();
    if wanted(Suite::Rust) {
        let has_nextest = has_nextest(session);
        steps.push(rust(session, selection, has_nextest));
        steps.push(attacks(session, selection, has_nextest));
    }
    if wanted(Suite::Docs) {
        let mut command = session.cargo(["test", "--workspace", "--doc"]);
        command.args(filter);
        steps.push(Step::command("doc tests", command).repeated_by(repeat(Some(Suite::Docs), filter)));
    }
    if wanted(Suite::E2e) {
        let again = repeat(Some(Suite::E2e), filter);
        let build = Step::new("e2e programs", &again, |stage| {
            e2e_programs(stage)?;
            Ok(Outcome::Done)
        });
        steps.push(build.needs(&["chat page"]));
        let test = Step::new("e2e tests", &again, move |stage| e2e(stage, selection));
        steps.push(test.needs(&["e2e packages", "e2e programs"]));
    }
    steps
}

fn has_nextest(session: &Session) -> bool {
    let mut command = session.cargo(["nextest", "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// All but the [`attacks`].
fn rust<'a>(session: &Session, selection: &TestArgs, has_nextest: bool) -> Step<'a> {
    let command = tests(session, &["--workspace", "--exclude", ATTACKS], selection, has_nextest);
    Step::command("rust tests", command).repeated_by(repeat(Some(Suite::Rust), selection.filter.as_deref()))
}

/// Whether others notice an attack is asked of what is deployed, and so is what a million mutations do.
fn attacks<'a>(session: &Session, selection: &TestArgs, has_nextest: bool) -> Step<'a> {
    let mut packages = vec!["--release"];
    if has_nextest {
        packages.extend(executable::selecting(&RELEASED));
    } else {
        packages.extend(["--package", ATTACKS]);
    }
    let mut command = tests(session, &packages, selection, has_nextest);
    if has_nextest {
        command.args(["--lib", "--test", "*"]);
    } else {
        command.args(["--", "--test-threads", "1"]);
    }
    Step::command("attacks", command).repeated_by(repeat(Some(Suite::Rust), selection.filter.as_deref()))
}

/// Runs the unit and integration tests of these packages.
fn tests(session: &Session, packages: &[&str], selection: &TestArgs, has_nextest: bool) -> Command {
    let mut command = if has_nextest {
        session.cargo(["nextest", "run"])
    } else {
        session.cargo(["test", "--lib", "--bins", "--tests"])
    };
    command.arg("--no-fail-fast").args(packages);
    if selection.full {
        command.env(FULL, "1");
    }
    let filter = selection.filter.as_deref();
    if has_nextest && filter.is_some() {
        // It may be meant for tests of another step.
        command.args(["--no-tests", "pass"]);
    }
    command.args(filter);
    command
}

fn e2e(stage: &Stage<'_>, selection: &TestArgs) -> anyhow::Result<Outcome> {
    let (session, filter) = (stage.session(), selection.filter.as_deref());
    let [server, chat] = e2e_programs(stage)?;
    let mut command = session.command(NODE.path()?);
    command
        .current_dir(e2e_folder(session).join(""))
        .env("ROOMWIRE_E2E_SERVER", server)
        .env("ROOMWIRE_CHAT", chat)
        .env("ROOMWIRE_CHROMIUM", CHROMIUM.path()?)
        .env("ROOMWIRE_E2E_NGINX", NGINX.path()?)
        .env("ROOMWIRE_E2E_XTASK", env::current_exe().context("this program does not find itself")?)
        .envs([match PythonEnvironment::new(session.root()).python() {
            Some(python) => ("ROOMWIRE_E2E_PYTHON", python.into_os_string()),
            None => ("ROOMWIRE_E2E_WITHOUT_PYTHON", "the step `python packages` did not install them".into()),
        }])
        // One file after another: each starts servers and some a browser.
        .args(["--test", "--test-concurrency=1"])
        // Named, because what Node picks by itself depends on its version and on the terminal.
        .args(["--test-reporter", if session.terminal() { "spec" } else { "tap" }])
        .args(filter.map(|filter| format!("--test-name-pattern={filter}")))
        .args(test_files(session)?);
    if selection.full {
        command.env(FULL, "1");
    }
    stage.run(&mut command)
}

fn test_files(session: &Session) -> anyhow::Result<Vec<PathBuf>> {
    let folder = e2e_folder(session).join("js");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no *.test.mjs", folder.display());
    files.sort();
    Ok(files)
}

fn e2e_folder(session: &Session) -> NodeFolder {
    NodeFolder::new(session.root(), "e2e")
}

fn e2e_programs(stage: &Stage<'_>) -> anyhow::Result<[PathBuf; 2]> {
    executable::build_released(stage, ["roomwire-e2e", "example-chat"])
}

/// The command that runs one suite alone.
fn repeat(suite: Option<Suite>, filter: Option<&str>) -> String {
    let only = suite.map(|suite| format!(" --only {}", suite.word())).unwrap_or_default();
    let filter = filter.map(|filter| format!(" --filter {filter}")).unwrap_or_default();
    format!("cargo xtask test{only}{filter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_repeated_with_its_suite_and_filter() {
        assert_eq!(repeat(Some(Suite::Docs), None), "cargo xtask test --only docs");
        assert_eq!(repeat(Some(Suite::Rust), Some("join")), "cargo xtask test --only rust --filter join");
    }
}
