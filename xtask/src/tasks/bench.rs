//! `cargo xtask bench`: the benchmark, built with optimizations, and the servers on Node that it compares.

use std::cell::OnceCell;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::BenchArgs;
use crate::executable;
use crate::npm::NodeFolder;
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tools::{self, NODE, NPM, REDIS};

const PACKAGE: &str = "roomwire-bench";
/// The folder of the servers on Node.
const NODE_PEERS: &str = "bench/peers/node";

/// Runs the benchmark until it ends and gives back its status.
pub(crate) fn run(session: &Session, bench: &BenchArgs) -> anyhow::Result<ExitCode> {
    let program = OnceCell::new();
    let build = Step::new("build", format!("cargo build --release --package {PACKAGE}"), |stage| {
        let [path] = executable::build(stage, [PACKAGE], true)?;
        program.get_or_init(|| path);
        Ok(Outcome::Done)
    });
    let mut steps = vec![build];
    if needs_node(bench) {
        steps.push(Step::new("peers on Node", format!("npm ci --prefix {NODE_PEERS}"), node_peers));
    }
    let report = run_all(session, steps);
    if !report.succeeded() {
        eprint!("{report}");
        return Ok(report.exit_code());
    }
    let mut command = session.command(program.get().context("the build gave no program")?);
    if bench.quick {
        command.arg("--quick");
    }
    Ok(ExitCode::from(session.hand_over(command.args(&bench.args))?))
}

/// A quick run, which fails if Roomwire is far above its peers.
pub(super) fn quick<'a>() -> Step<'a> {
    Step::new("quick bench", "cargo xtask bench --quick", |stage| {
        let [program] = executable::build_released(stage, [PACKAGE])?;
        stage.run(stage.session().command(program).arg("--quick"))
    })
}

/// A quick run has no peers on Node, and subcommands compare nothing.
fn needs_node(bench: &BenchArgs) -> bool {
    !bench.quick && bench.args.first().is_none_or(|first| first.starts_with('-'))
}

/// Installs the peers on Node. The benchmark runs without them on a machine that cannot have them, and says so.
fn node_peers(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let installed = tools::provide(&[&NODE, &NPM, &REDIS], stage)
        .and_then(|_| NodeFolder::new(stage.session().root(), NODE_PEERS).install(stage));
    Ok(installed.unwrap_or_else(|problem| Outcome::Skipped(format!("they are not measured: {problem:#}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_on_node_are_installed_only_to_be_compared() {
        let needs = |quick, args: &[&str]| {
            needs_node(&BenchArgs { quick, args: args.iter().map(|&arg| arg.to_owned()).collect() })
        };
        assert!(needs(false, &[]) && needs(false, &["--only", "room"]));
        assert!(!needs(true, &[]) && !needs(false, &["redis-costs"]));
    }
}
