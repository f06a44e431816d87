//! `cargo xtask bench`: Roomwire and its peers, in turns, in the same run.

mod child;
mod cli;
mod client;
mod comparison;
mod crowd;
mod figure;
mod load;
mod measurement;
mod peer;
mod peer_process;
mod plot;
mod ratio;
mod receipts;
mod redis_costs;
mod report;
mod room;
mod roomwire_server;
mod samples;
mod serve;
mod socketioxide_server;
mod token;
mod usage;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let done = match cli.command {
        None => return comparison::run(&cli.compare),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Load(args)) => load::run(&args),
        Some(Command::RedisCosts) => redis_costs::run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}
