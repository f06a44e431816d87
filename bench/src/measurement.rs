//! One server, one crowd of clients, and what the server used.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use roomwire_test_servers::RedisServer;

use crate::{
    child::Child,
    figure::{Figure, Scenario},
    roomwire_server::Bounds,
    server::Kind,
    token,
    usage::Usage,
};

/// How long a server has to put its memory in order.
const SETTLING: Duration = Duration::from_millis(1500);

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Messages to each room.
    pub(crate) messages: usize,
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    pub(crate) in_flight: usize,
}

struct Server(Child);

impl Server {
    async fn start(kind: Kind, redis: Option<&RedisServer>) -> anyhow::Result<(Self, SocketAddr)> {
        let mut arguments = vec![kind.command().to_owned()];
        if let (Kind::Roomwire, Some(redis)) = (kind, redis) {
            arguments.extend(["--redis".to_owned(), redis.url()]);
        }
        let limits = match kind {
            Kind::Limited => Some(Bounds::Default),
            Kind::Unlimited => Some(Bounds::Unlimited),
            Kind::Raw | Kind::Roomwire | Kind::Tokens => None,
        };
        arguments.extend(limits.iter().flat_map(|limits| ["--limits".to_owned(), limits.word().to_owned()]));
        if kind == Kind::Tokens {
            arguments.extend(["--secret".to_owned(), token::SECRET.to_owned()]);
        }
        let mut child = Child::start(&arguments)?;
        let address = child.hear().await?.parse().context("a server gave no address")?;
        Ok((Self(child), address))
    }

    async fn usage(&mut self) -> anyhow::Result<Usage> {
        Ok(serde_json::from_str(&self.0.ask().await?)?)
    }

    async fn settled_usage(&mut self) -> anyhow::Result<Usage> {
        tokio::time::sleep(SETTLING).await;
        self.usage().await
    }
}

/// Starts both processes, takes the figures and ends both processes.
pub(crate) async fn take(kind: Kind, scenario: Scenario, extent: Extent) -> anyhow::Result<Vec<(Figure, f64)>> {
    // The plain library has no state; it waits for no server either.
    let redis = match scenario {
        Scenario::Redis if kind == Kind::Roomwire => Some(RedisServer::start().await),
        _ => None,
    };
    let (mut server, address) = Server::start(kind, redis.as_ref()).await?;
    let Extent { messages, rooms, members, in_flight } = extent;
    let mut load = format!(
        "load --address {address} --scenario {scenario} --rooms {rooms} --members {members} --messages {messages} \
         --in-flight {in_flight}"
    );
    if kind == Kind::Tokens {
        load = format!("{load} --token {}", token::issue()?);
    }
    let mut load = Child::start(&load.split_whitespace().map(str::to_owned).collect::<Vec<_>>())?;
    let figures = match scenario {
        Scenario::Hall => vec![(Figure::HallCpu, delivery(&mut server, &mut load).await?)],
        Scenario::Burst => vec![(Figure::BurstCpu, delivery(&mut server, &mut load).await?)],
        Scenario::Rooms => vec![(Figure::RoomsCpu, delivery(&mut server, &mut load).await?)],
        Scenario::Idle => idle(&mut server, &mut load).await?,
        Scenario::Redis => vec![(Figure::RedisCpu, entry(&mut server, &mut load).await?)],
    };
    load.end().await?;
    server.0.end().await?;
    Ok(figures)
}

/// CPU per delivered message.
async fn delivery(server: &mut Server, load: &mut Child) -> anyhow::Result<f64> {
    load.hear().await?;
    let before = server.usage().await?;
    let delivered: f64 = load.ask().await?.parse()?;
    let after = server.usage().await?;
    Ok(after.microseconds_since(&before) / delivered)
}

/// CPU per client that connects and joins.
async fn entry(server: &mut Server, load: &mut Child) -> anyhow::Result<f64> {
    load.hear().await?;
    let before = server.settled_usage().await?;
    let clients: f64 = load.ask().await?.parse()?;
    load.ask().await?;
    Ok(server.usage().await?.microseconds_since(&before) / clients)
}

/// Memory and CPU per client that connects, then joins.
async fn idle(server: &mut Server, load: &mut Child) -> anyhow::Result<Vec<(Figure, f64)>> {
    load.hear().await?;
    let empty = server.settled_usage().await?;
    let clients: f64 = load.ask().await?.parse()?;
    let connected = server.settled_usage().await?;
    load.ask().await?;
    let joined = server.settled_usage().await?;
    let mut figures = vec![
        (Figure::ConnectCpu, connected.microseconds_since(&empty) / clients),
        (Figure::JoinCpu, joined.microseconds_since(&connected) / clients),
    ];
    for (figure, usage) in [(Figure::ConnectedMemory, connected), (Figure::JoinedMemory, joined)] {
        figures.extend(usage.kibibytes_since(&empty).map(|all| (figure, all / clients)));
    }
    Ok(figures)
}
