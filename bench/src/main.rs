//! `cargo xtask bench`: Roomwire next to plain socketioxide, in turns, in the same run.

mod child;
mod cli;
mod client;
mod comparison;
mod crowd;
mod figure;
mod load;
mod measurement;
mod raw_server;
mod redis_costs;
mod roomwire_server;
mod samples;
mod server;
mod table;
mod token;
mod usage;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        None => comparison::run(&cli.compare),
        Some(Command::Compare(args)) => comparison::run(&args),
        Some(Command::ServeRaw(args)) => server::run(server::Kind::Raw, &args),
        Some(Command::ServeRoomwire(args)) => server::run(server::Kind::Roomwire, &args),
        Some(Command::Load(args)) => load::run(&args),
        Some(Command::RedisCosts) => redis_costs::run(),
    }
}
