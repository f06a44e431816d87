//! A server of this program, in a process of its own.

use std::{
    io::{BufRead, Write, stdin, stdout},
    net::SocketAddr,
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{cli::ServeArgs, peer::Peer, roomwire_server, socketioxide_server, usage};

/// The data of the event `say`: the same for all peers.
#[derive(Debug, Deserialize)]
pub(crate) struct Say {
    pub(crate) room: String,
    pub(crate) message: String,
}

/// Serves until standard input ends. Prints its address, then its usage for each line on standard input.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    usage::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(args.workers).enable_all().build()?;
    let address = runtime.block_on(start(args))?;
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

async fn start(args: &ServeArgs) -> anyhow::Result<SocketAddr> {
    let redis = args.redis.as_deref();
    if args.peer.uses_redis() {
        redis.context("this peer needs --redis")?;
    }
    match args.peer {
        Peer::Socketioxide => socketioxide_server::start(args.address).await,
        Peer::SocketioxideRedis => socketioxide_server::start_with_redis(args.address, redis.unwrap_or_default()).await,
        Peer::SocketIo | Peer::SocketIoRedis | Peer::Nestjs => bail!("this peer is a program of its own"),
        peer => roomwire_server::start(args.address, peer, redis).await,
    }
}
