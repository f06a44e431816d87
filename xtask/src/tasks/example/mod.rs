//! `cargo xtask example`: one of the examples, with what it needs.

mod announce;
mod built;
mod cluster;
mod nginx;
mod node;
mod ports;
mod processes;
mod single;

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::{Example, ExampleArgs};
use crate::session::Session;
use crate::shell_line::shell_line;

/// Runs the example until it ends and gives back its status.
pub(crate) fn run(session: &Session, example: &ExampleArgs) -> anyhow::Result<ExitCode> {
    match (example.name, example.nodes) {
        (Example::Login | Example::Mount | Example::NoSocket | Example::Tracing, Some(_)) => {
            bail!("--nodes is for the example chat; others run in one process")
        }
        (Example::Login | Example::Mount | Example::NoSocket | Example::Tracing, _) if example.redis.is_some() => {
            bail!("--redis is for the example chat; others keep their state in memory")
        }
        (Example::Chat, Some(nodes)) => cluster::run(session, example, nodes),
        (Example::Chat, None) => single::run(session, example, "chat", "example-chat"),
        (Example::Login, None) => single::run(session, example, "login", "example-login"),
        (Example::Mount, None) => single::run(session, example, "mount", "example-mount"),
        (Example::NoSocket, None) => test(session, example),
        (Example::Tracing, None) => single::run(session, example, "tracing", "example-tracing"),
    }
}

/// The example without a socket is a test: running it is running that test.
fn test(session: &Session, example: &ExampleArgs) -> anyhow::Result<ExitCode> {
    let mut command = session.cargo(["test", "--package", "example-no-socket"]);
    if example.release {
        command.arg("--release");
    }
    if !example.args.is_empty() {
        command.arg("--").args(&example.args);
    }
    eprintln!("$ {}", shell_line(&command));
    Ok(ExitCode::from(session.hand_over(&mut command)?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Task};

    #[test]
    fn only_the_chat_runs_on_several_nodes_or_on_redis() {
        let session = Session::start().expect("signals can be taken over");
        for (name, option, value) in [("mount", "--nodes", "3"), ("no-socket", "--redis", "redis://127.0.0.1:1")] {
            let cli = Cli::parse_from(["xtask", "example", name, option, value]);
            let Task::Example(example) = cli.task else { panic!("another task was parsed") };
            let refused = run(&session, &example).expect_err("it is refused").to_string();
            assert!(refused.starts_with(&format!("{option} is for the example chat; ")), "{refused}");
        }
    }
}
