//! Whether the crates can be packaged as they would be published.

use std::process::Command;

use anyhow::ensure;
use cargo_metadata::Metadata;

use crate::session::Session;
use crate::steps::Step;

/// Packages all crates meant for the registry in one go, so that those which depend on each other find each other
/// although none is published yet. Other steps compile them; this one does not do so again.
pub(super) fn step<'a>(session: &Session) -> Step<'a> {
    match command(session) {
        Ok(command) => Step::command("package", command),
        Err(error) => Step::new("package", "cargo metadata", |_| Err(error)),
    }
}

fn command(session: &Session) -> anyhow::Result<Command> {
    let crates = publishable(&session.metadata()?);
    ensure!(!crates.is_empty(), "the workspace has no crate that is meant to be published");
    let mut command = session.cargo(["package", "--no-verify"]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    if !session.in_ci() {
        // At home one wants to know before one commits.
        command.arg("--allow-dirty");
    }
    Ok(command)
}

fn publishable(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let meant = packages.iter().filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()));
    let mut names: Vec<_> = meant.map(|package| package.name.to_string()).collect();
    names.sort();
    names
}
