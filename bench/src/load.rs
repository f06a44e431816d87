//! The clients, in a process of their own.

use std::io::{BufRead, Write, stdin, stdout};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::{
    cli::LoadArgs,
    crowd::{self, Crowd},
    usage,
    workload::Workload,
};

/// Clients that connect and disconnect before memory is measured for the first time.
const FORERUNNERS: usize = 20;
/// Messages that warm a server up: a tenth of those that count, this many at least.
const WARM_UP: usize = 20;

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StepReport {
    /// Deliveries, or clients.
    pub(crate) count: usize,
    /// The 99th percentile of the latency, in milliseconds.
    pub(crate) latency: Option<f64>,
    /// Deliveries so far that overtook an earlier message.
    pub(crate) early: usize,
}

/// Runs the workload. A line on standard output ends each step, a line on standard input begins the next.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    usage::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.workload {
            Workload::Connect | Workload::Idle => idle(args).await,
            _ => talk(args).await,
        }
    })
}

async fn talk(args: &LoadArgs) -> anyhow::Result<()> {
    let clients = crowd::connect(args.address, args.token.as_deref(), args.rooms * args.members).await?;
    let places = crowd::join(clients, args.first_room, args.rooms).await?;
    let mut crowd = Crowd::new(places, args);
    crowd.send(WARM_UP.max(args.messages / 10)).await?;
    report(StepReport::default())?;
    next_step()?;
    report(crowd.send(args.messages).await?)
}

async fn idle(args: &LoadArgs) -> anyhow::Result<()> {
    let forerunners = crowd::connect(args.address, args.token.as_deref(), FORERUNNERS).await?;
    for (_, client) in crowd::join(forerunners, args.first_room, 1).await? {
        client.close().await?;
    }
    report(StepReport::default())?;
    next_step()?;
    let clients = crowd::connect(args.address, args.token.as_deref(), args.rooms * args.members).await?;
    report(StepReport { count: clients.len(), ..StepReport::default() })?;
    next_step()?;
    let places = crowd::join(clients, args.first_room, args.rooms).await?;
    report(StepReport { count: places.len(), ..StepReport::default() })?;
    next_step()
}

fn report(step: StepReport) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&step)?)?;
    Ok(out.flush()?)
}

fn next_step() -> anyhow::Result<()> {
    match stdin().lock().lines().next() {
        Some(line) => line.map(drop).map_err(Into::into),
        None => bail!("standard input ended before the workload did"),
    }
}
