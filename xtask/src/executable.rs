//! Programs of this workspace: built, and found where cargo put them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use cargo_metadata::Message;

use crate::steps::Stage;

/// What all tests build with optimizations. A dependency has the features that the selected packages ask for together:
/// with one selection it is built once.
pub(crate) const RELEASED: [&str; 4] = ["roomwire-hostile", "roomwire-e2e", "example-chat", "roomwire-bench"];

/// Builds the packages and gives back the programs that bear their names, in the same order.
///
/// Cargo is asked where they are, so `CARGO_TARGET_DIR` and the like are honoured.
pub(crate) fn build<const N: usize>(
    stage: &Stage<'_>,
    packages: [&str; N],
    release: bool,
) -> anyhow::Result<[PathBuf; N]> {
    let mut command = cargo_build(stage);
    command.args(selecting(&packages));
    if release {
        command.arg("--release");
    }
    found(&stage.capture(&mut command)?, packages)
}

/// Builds all of [`RELEASED`] with optimizations and gives back these programs of them.
pub(crate) fn build_released<const N: usize>(stage: &Stage<'_>, packages: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
    let mut command = cargo_build(stage);
    command.arg("--release").args(selecting(&RELEASED));
    found(&stage.capture(&mut command)?, packages)
}

/// The arguments by which cargo selects these packages.
pub(crate) fn selecting<'a>(packages: &'a [&str]) -> impl Iterator<Item = &'a str> {
    packages.iter().flat_map(|package| ["--package", package])
}

fn cargo_build(stage: &Stage<'_>) -> Command {
    stage.session().cargo(["build", "--message-format", "json-render-diagnostics"])
}

fn found<const N: usize>(messages: &[u8], packages: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
    let mut paths = Vec::with_capacity(N);
    for package in packages {
        let path = find(messages, package).with_context(|| format!("package {package} has no program of its name"))?;
        paths.push(path);
    }
    Ok(paths.try_into().unwrap_or_else(|_| unreachable!("one path was pushed for each package")))
}

fn find(messages: &[u8], name: &str) -> Option<PathBuf> {
    Message::parse_stream(messages).filter_map(Result::ok).find_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == name => artifact.executable.map(Into::into),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///r#chat@0.1.0","manifest_path":"/r/Cargo.toml","target":{"kind":["lib"],"crate_types":["lib"],"name":"chat","src_path":"/r/src/lib.rs","edition":"2024","doc":true,"doctest":true,"test":true},"profile":{"opt_level":"3","debuginfo":1,"debug_assertions":false,"overflow_checks":false,"test":false},"features":[],"filenames":["/r/target/release/libchat.rlib"],"executable":null,"fresh":true}
{"reason":"compiler-artifact","package_id":"path+file:///r#chat@0.1.0","manifest_path":"/r/Cargo.toml","target":{"kind":["bin"],"crate_types":["bin"],"name":"chat","src_path":"/r/src/main.rs","edition":"2024","doc":true,"doctest":false,"test":true},"profile":{"opt_level":"3","debuginfo":1,"debug_assertions":false,"overflow_checks":false,"test":false},"features":[],"filenames":["/r/target/release/chat"],"executable":"/r/target/release/chat","fresh":true}
{"reason":"build-finished","success":true}
"#;

    #[test]
    fn the_program_is_found_and_not_the_library_of_the_same_name() {
        assert_eq!(find(MESSAGES.as_bytes(), "chat"), Some(PathBuf::from("/r/target/release/chat")));
        assert_eq!(find(MESSAGES.as_bytes(), "other"), None);
    }
}
