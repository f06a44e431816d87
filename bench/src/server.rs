//! A server in a process of its own, which answers for its usage on standard input and output.

use std::{
    io::{BufRead, Write, stdin, stdout},
    net::SocketAddr,
};

use clap::ValueEnum;
use serde::Deserialize;

use crate::{cli::ServeArgs, raw_server, roomwire_server, usage};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Plain socketioxide.
    Raw,
    Roomwire,
    /// Roomwire that knows its clients by tokens.
    Tokens,
    /// Roomwire with all limits as they are by default, but for those of one address.
    Limited,
    /// Roomwire with limits as wide as they go.
    Unlimited,
}

/// What Roomwire is measured next to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Against {
    /// Plain socketioxide
    Socketioxide,
    /// Roomwire that admits everybody; what is measured knows its clients by tokens
    NoTokens,
    /// Roomwire with limits as wide as they go; what is measured has them as they are by default
    NoLimits,
}

impl Against {
    /// What is measured next to it comes second.
    pub(crate) fn pair(self) -> [Kind; 2] {
        match self {
            Self::Socketioxide => [Kind::Raw, Kind::Roomwire],
            Self::NoTokens => [Kind::Roomwire, Kind::Tokens],
            Self::NoLimits => [Kind::Unlimited, Kind::Limited],
        }
    }
}

impl Kind {
    /// The subcommand that runs it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Raw => "serve-raw",
            Self::Roomwire | Self::Tokens | Self::Limited | Self::Unlimited => "serve-roomwire",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "socketioxide",
            Self::Roomwire => "Roomwire",
            Self::Tokens => "with tokens",
            Self::Limited => "limits on",
            Self::Unlimited => "limits off",
        }
    }
}

/// What a client sends for a room: the same to both servers.
#[derive(Debug, Deserialize)]
pub(crate) struct Say {
    pub(crate) room: String,
    pub(crate) message: String,
}

/// Serves until standard input ends. The first line on standard output is the address; each line on standard input is
/// answered by the usage so far.
pub(crate) fn run(kind: Kind, args: &ServeArgs) -> anyhow::Result<()> {
    usage::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(args.workers).enable_all().build()?;
    let address: SocketAddr = runtime.block_on(async {
        match kind {
            Kind::Raw => raw_server::start(args.address).await,
            Kind::Roomwire | Kind::Tokens | Kind::Limited | Kind::Unlimited => roomwire_server::start(args).await,
        }
    })?;
    let mut out = stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()?;
    for line in stdin().lock().lines() {
        line?;
        writeln!(out, "{}", serde_json::to_string(&usage::Usage::now())?)?;
        out.flush()?;
    }
    // The results of the connections do not matter.
    runtime.shutdown_background();
    Ok(())
}
