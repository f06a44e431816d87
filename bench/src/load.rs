//! The clients, in a process of their own.

use std::io::{BufRead, Write, stdin, stdout};

use anyhow::bail;

use crate::{
    cli::LoadArgs,
    crowd::{self, Crowd},
    figure::Scenario,
    usage,
};

/// How many clients come and go before memory is looked at for the first time.
const FORERUNNERS: usize = 20;
/// How many messages warm a server up: a tenth of those that count, this many at least.
const WARM_UP: usize = 20;

/// Runs the scenario. A line on standard output ends each step, a line on standard input begins the next.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    usage::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.scenario {
            Scenario::Hall | Scenario::Burst | Scenario::Rooms => talk(args).await,
            Scenario::Idle | Scenario::Redis => idle(args).await,
        }
    })
}

async fn talk(args: &LoadArgs) -> anyhow::Result<()> {
    let clients = crowd::connect(args.address, args.token.as_deref(), args.rooms * args.members).await?;
    let places = crowd::join(clients, args.rooms).await?;
    let mut crowd = Crowd::new(places, args.rooms, args.in_flight);
    crowd.send(WARM_UP.max(args.messages / 10)).await?;
    report(0)?;
    next_step()?;
    report(crowd.send(args.messages).await?)
}

async fn idle(args: &LoadArgs) -> anyhow::Result<()> {
    let forerunners = crowd::join(crowd::connect(args.address, args.token.as_deref(), FORERUNNERS).await?, 1).await?;
    for (_, client) in forerunners {
        client.close().await?;
    }
    report(0)?;
    next_step()?;
    let clients = crowd::connect(args.address, args.token.as_deref(), args.rooms * args.members).await?;
    report(clients.len())?;
    next_step()?;
    let places = crowd::join(clients, args.rooms).await?;
    report(places.len())?;
    next_step()
}

/// The step is done; it concerned so many deliveries or clients.
fn report(count: usize) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{count}")?;
    Ok(out.flush()?)
}

fn next_step() -> anyhow::Result<()> {
    match stdin().lock().lines().next() {
        Some(line) => line.map(drop).map_err(Into::into),
        None => bail!("nobody is interested any more"),
    }
}
