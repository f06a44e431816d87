//! `cargo xtask`: the tasks of this repository, the same for people and for CI.

mod apt;
mod chat_page;
mod cli;
mod executable;
mod interrupts;
mod npm;
mod python;
mod relay;
mod session;
mod shell_line;
mod steps;
mod tasks;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Task};
use crate::session::Session;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let session = Session::start()?;
    match task {
        Task::Example(example) => tasks::example::run(&session, &example),
        Task::Test(selection) => tasks::test::run(&session, &selection),
        Task::Tidy => tasks::tidy::run(&session),
        Task::Ci(args) => tasks::ci::run(&session, &args),
        Task::Fuzz(fuzz) => tasks::fuzz::run(&session, &fuzz),
        Task::Bench(bench) => tasks::bench::run(&session, &bench),
        Task::Soak(soak) => tasks::soak::run(&session, &soak),
    }
}
