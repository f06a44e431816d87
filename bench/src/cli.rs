//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{peer::Peer, workload::Workload};

/// Measures Roomwire and its peers side by side, in turns.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) compare: CompareArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure what each operation on shared state costs Redis
    RedisCosts,
    /// Run a server until standard input ends
    Serve(ServeArgs),
    /// Connect clients to a server; each step waits for a line on standard input
    Load(LoadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Short rounds of the peers in Rust only; fails if Roomwire is far above its peers
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds, each with all peers [default: 9; quick: 3]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Measure only this workload; may be repeated
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) only: Vec<Workload>,
    /// Measure only this peer; may be repeated
    #[arg(long, value_name = "PEER")]
    pub(crate) peer: Vec<Peer>,
    /// At most so many clients in each workload: to try it out, not to compare
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) clients: Option<u32>,
    /// Folder for tables, plots and samples
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Which server
    pub(crate) peer: Peer,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) address: SocketAddr,
    /// The Redis server, for peers that use one
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// Worker threads
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// What to do
    pub(crate) workload: Workload,
    /// Where the server listens
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// The token of each client
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Rooms
    #[arg(long)]
    pub(crate) rooms: usize,
    /// The number of the first room
    #[arg(long, default_value_t = 0)]
    pub(crate) first_room: usize,
    /// Clients in each room
    #[arg(long)]
    pub(crate) members: usize,
    /// Messages to each room, after those that warm the server up
    #[arg(long, default_value_t = 0)]
    pub(crate) messages: usize,
    /// Messages in flight in each room
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: usize,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    pub(crate) payload: usize,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
