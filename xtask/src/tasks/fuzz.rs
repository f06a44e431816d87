//! `cargo xtask fuzz`: gives random bytes to every parser that reads bytes from outside.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::cli::FuzzArgs;
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tasks::cargo_tool::{self, CARGO_FUZZ};
use crate::tools::{self, CXX};

/// As many programs run at one time.
const AT_ONCE: usize = 2;

/// Longer than this, and with more memory than so many MiB, no input may keep a parser.
const SECONDS_PER_INPUT: u32 = 10;
const MEMORY: u32 = 1024;

/// Builds the programs, runs them and prints what became of them.
pub(crate) fn run(session: &Session, args: &FuzzArgs) -> anyhow::Result<ExitCode> {
    let report = run_all(session, steps(args));
    print!("{report}");
    Ok(report.exit_code())
}

/// What must be there, and the run itself.
pub(super) fn steps(args: &FuzzArgs) -> Vec<Step<'_>> {
    let again = "cargo xtask fuzz";
    vec![
        Step::new("fuzz tools", again, |stage| {
            tools::provide(&[&CXX], stage)?;
            cargo_tool::provide(&CARGO_FUZZ, stage)
        }),
        Step::new("fuzz build", again, build).needs(&["fuzz tools"]),
        Step::new("fuzz", again, |stage| fuzz(stage, args)).needs(&["fuzz build"]),
    ]
}

fn folder(session: &Session) -> PathBuf {
    session.root().join("fuzz")
}

fn build(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let session = stage.session();
    // Without a sanitizer it is built by the stable compiler. There is no unsafe code for one to watch.
    let mut command = session.cargo(["fuzz", "build", "--sanitizer", "none"]);
    stage.run(command.current_dir(folder(session)))
}

fn fuzz(stage: &Stage<'_>, args: &FuzzArgs) -> anyhow::Result<Outcome> {
    let folder = folder(stage.session());
    let targets = targets(&folder)?;
    let wanted = |target: &&String| args.filter.as_ref().is_none_or(|filter| target.contains(filter.as_str()));
    let chosen: Vec<_> = targets.iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no such program; there are {}", targets.join(", "));
    let programs = folder.join("target").join(host(stage)?).join("release");
    let logs = folder.join("artifacts");
    fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
    let mut failed = Vec::new();
    for (number, together) in chosen.chunks(AT_ONCE).enumerate() {
        let left = args.seconds * (chosen.len().div_ceil(AT_ONCE) - number) as u64;
        let names: Vec<_> = together.iter().map(|name| name.as_str()).collect();
        stage.note(&format!("{} for {} s; all of them end in {left} s", names.join(" and "), args.seconds));
        let mut running: Vec<(&str, Child)> = Vec::new();
        for name in names {
            let mut command = program(&folder, &programs, &logs, name, args.seconds)?;
            let child = stage.session().interrupts().spawn(&mut command);
            running.push((name, child.with_context(|| format!("{name} cannot be started"))?));
        }
        for (name, mut child) in running {
            let status = stage.session().interrupts().wait(&mut child)?;
            let log = fs::read_to_string(log(&logs, name)).unwrap_or_default();
            if status.success() {
                stage.note(&format!("{name}: {}", last_words(&log)));
            } else {
                log.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().for_each(|line| stage.note(line));
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        Ok(Outcome::Done)
    } else {
        bail!("{} failed; what made it fail lies in {}", failed.join(" and "), logs.display())
    }
}

/// One program: what it finds in seconds it does not find again, beginning with the seeds.
fn program(folder: &Path, programs: &Path, logs: &Path, name: &str, seconds: u64) -> anyhow::Result<Command> {
    let corpus = folder.join("corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
    let log = log(logs, name);
    let output = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let mut command = Command::new(programs.join(name));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={SECONDS_PER_INPUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-artifact_prefix={}/{name}-", logs.display()))
        .args([corpus, folder.join("seeds").join(name)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    Ok(command)
}

fn log(logs: &Path, name: &str) -> PathBuf {
    logs.join(name).with_extension("log")
}

/// The programs, which are the files with their source.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let sources = folder.join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&sources).with_context(|| format!("{} cannot be read", sources.display()))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// What this machine is called in the paths of what is built for it.
fn host(stage: &Stage<'_>) -> anyhow::Result<String> {
    let version = stage.capture(stage.session().command("rustc").arg("-vV"))?;
    let version = String::from_utf8_lossy(&version).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what machine this is")?.to_owned())
}

fn last_words(log: &str) -> &str {
    log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("ended without saying how far it came")
}

impl Default for FuzzArgs {
    fn default() -> Self {
        Self { seconds: Duration::from_secs(60).as_secs(), filter: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_did_is_the_line_in_which_it_says_so() {
        assert_eq!(last_words("INFO: x\nDone 74 runs in 61 second(s)\n"), "Done 74 runs in 61 second(s)");
        assert!(last_words("").starts_with("ended"));
    }

    #[test]
    fn every_program_has_seeds_and_an_entry_in_the_manifest() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        for target in targets(&folder).expect("programs") {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            let seeds = fs::read_dir(folder.join("seeds").join(&target)).expect("seeds").count();
            assert!(seeds > 0, "{target}");
        }
    }
}
