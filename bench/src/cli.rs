//! The command line.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

use crate::{figure::Scenario, roomwire_server::Bounds, server::Against};

/// Measures Roomwire next to plain socketioxide.
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
    /// Compare both servers, in turns (the default)
    Compare(CompareArgs),
    /// Measure what each operation on shared state costs Redis
    RedisCosts,
    /// Run a server of plain socketioxide until standard input ends
    ServeRaw(ServeArgs),
    /// Run a server of Roomwire until standard input ends
    ServeRoomwire(ServeArgs),
    /// Connect clients to a server; each step waits for a line on standard input
    Load(LoadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Fewer and shorter rounds: under a minute
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds, each with both servers
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Next to what
    #[arg(long, value_name = "WHAT", default_value = "socketioxide")]
    pub(crate) against: Against,
    /// Measure only this
    #[arg(long, value_name = "SCENARIO")]
    pub(crate) only: Vec<Scenario>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) address: SocketAddr,
    /// The Redis in which Roomwire keeps its state, instead of in memory
    #[arg(long)]
    pub(crate) redis: Option<String>,
    /// The secret of the tokens by which Roomwire knows its clients; everybody is admitted without one
    #[arg(long)]
    pub(crate) secret: Option<String>,
    /// How much one client of Roomwire may have
    #[arg(long, default_value = "without-rates")]
    pub(crate) limits: Bounds,
    /// How many worker threads
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Where the server listens
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// The credentials of each client
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// What to do
    #[arg(long)]
    pub(crate) scenario: Scenario,
    /// How many rooms
    #[arg(long)]
    pub(crate) rooms: usize,
    /// How many clients join each room
    #[arg(long)]
    pub(crate) members: usize,
    /// How many messages are sent to each room, after those that warm the server up
    #[arg(long, default_value_t = 0)]
    pub(crate) messages: usize,
    /// How many of them may be on their way at one time
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: usize,
}
