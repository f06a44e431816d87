//! One peer under one workload, and what it used.

use anyhow::Context;
use roomwire_test_servers::RedisServer;

use crate::{
    child::Child,
    figure::Figure,
    load::StepReport,
    peer::Peer,
    peer_process::PeerProcess,
    token,
    usage::Usage,
    workload::{Extent, Workload},
};

/// Clients of the node that has no members.
const BYSTANDERS: usize = 10;
/// The number of their room, far from those that messages are sent to.
const THEIR_ROOM: usize = 1_000_000;

type Figures = Vec<(Figure, f64)>;

/// The clients of one workload.
struct Load(Child);

impl Load {
    fn start(
        peer: Peer,
        server: &PeerProcess,
        workload: Workload,
        extent: Extent,
        first_room: usize,
    ) -> anyhow::Result<Self> {
        let Extent { messages, rooms, members, in_flight, payload } = extent;
        let workload = clap::ValueEnum::to_possible_value(&workload).context("a workload without a name")?;
        let mut arguments = format!(
            "load {} --address {} --rooms {rooms} --first-room {first_room} --members {members} --messages {messages} \
             --in-flight {in_flight} --payload {payload}",
            workload.get_name(),
            server.address
        );
        if peer == Peer::RoomwireTokens {
            arguments = format!("{arguments} --token {}", token::issue()?);
        }
        let arguments: Vec<_> = arguments.split_whitespace().map(str::to_owned).collect();
        Ok(Self(Child::this_program(&arguments)?))
    }

    /// Waits until the clients are ready for the first step.
    async fn ready(&mut self) -> anyhow::Result<()> {
        self.0.next_line().await.map(drop)
    }

    async fn step(&mut self) -> anyhow::Result<StepReport> {
        let step: StepReport = serde_json::from_str(&self.0.ask().await?)?;
        if step.early > 0 {
            eprintln!("  {} deliveries overtook an earlier message", step.early);
        }
        Ok(step)
    }
}

/// Starts all processes, takes the figures and ends all processes.
pub(crate) async fn take(peer: Peer, workload: Workload, extent: Extent) -> anyhow::Result<Figures> {
    let redis = if peer.uses_redis() { Some(RedisServer::start().await) } else { None };
    let mut server = PeerProcess::start(peer, redis.as_ref()).await?;
    let mut load = Load::start(peer, &server, workload, extent, 0)?;
    let figures = match workload {
        Workload::Room => room(&mut server, &mut load).await?,
        Workload::InFlight => vec![(Figure::InFlightCpu, delivery(&mut server, &mut load).await?)],
        Workload::Rooms => vec![(Figure::RoomsCpu, delivery(&mut server, &mut load).await?)],
        Workload::Room1k => vec![(Figure::Room1kCpu, delivery(&mut server, &mut load).await?)],
        Workload::Room16k => vec![(Figure::Room16kCpu, delivery(&mut server, &mut load).await?)],
        Workload::Connect => connect(&mut server, &mut load).await?,
        Workload::Idle => idle(&mut server, &mut load).await?,
        Workload::Elsewhere => {
            let mut other = PeerProcess::start(peer, redis.as_ref()).await?;
            let broadcasts = extent.messages * extent.rooms;
            let cpu = elsewhere(peer, &mut other, &mut load, broadcasts).await?;
            other.end().await?;
            vec![(Figure::ElsewhereCpu, cpu)]
        }
    };
    load.0.end().await?;
    server.end().await?;
    Ok(figures)
}

/// CPU and latency of delivered messages.
async fn room(server: &mut PeerProcess, load: &mut Load) -> anyhow::Result<Figures> {
    load.ready().await?;
    let before = server.usage().await?;
    let step = load.step().await?;
    let after = server.usage().await?;
    let mut figures = vec![(Figure::RoomCpu, after.microseconds_since(&before) / step.count as f64)];
    figures.extend(after.kernel_share_since(&before).map(|share| (Figure::RoomKernel, share)));
    figures.extend(step.latency.map(|latency| (Figure::RoomLatency, latency)));
    Ok(figures)
}

/// CPU per delivered message.
async fn delivery(server: &mut PeerProcess, load: &mut Load) -> anyhow::Result<f64> {
    load.ready().await?;
    let before = server.usage().await?;
    let delivered = load.step().await?.count as f64;
    Ok(server.usage().await?.microseconds_since(&before) / delivered)
}

/// CPU per client that connects, then joins.
async fn connect(server: &mut PeerProcess, load: &mut Load) -> anyhow::Result<Figures> {
    load.ready().await?;
    let empty = server.settled_usage().await?;
    let clients = load.step().await?.count as f64;
    let connected = server.settled_usage().await?;
    load.step().await?;
    let joined = server.settled_usage().await?;
    Ok(vec![
        (Figure::ConnectCpu, connected.microseconds_since(&empty) / clients),
        (Figure::JoinCpu, joined.microseconds_since(&connected) / clients),
        (Figure::ConnectAndJoinCpu, joined.microseconds_since(&empty) / clients),
    ])
}

/// Memory per client that has connected, and has joined.
async fn idle(server: &mut PeerProcess, load: &mut Load) -> anyhow::Result<Figures> {
    load.ready().await?;
    let empty = server.settled_usage().await?;
    let clients = load.step().await?.count as f64;
    let connected = server.settled_usage().await?;
    load.step().await?;
    let joined = server.settled_usage().await?;
    let growth = |usage: Usage| Some(usage.kibibytes_since(&empty)? / clients);
    let figures = [
        (Figure::ConnectedMemory, growth(connected)),
        (Figure::JoinedMemory, growth(joined)),
        (Figure::ServerMemory, joined.resident_bytes.map(|bytes| bytes as f64 / 1024.0 / 1024.0)),
    ];
    Ok(figures.into_iter().filter_map(|(figure, value)| Some((figure, value?))).collect())
}

/// CPU of another node, whose clients are in another room, per broadcast.
async fn elsewhere(peer: Peer, other: &mut PeerProcess, load: &mut Load, broadcasts: usize) -> anyhow::Result<f64> {
    let extent = Extent { messages: 0, rooms: 1, members: BYSTANDERS, in_flight: 1, payload: 64 };
    let mut bystanders = Load::start(peer, other, Workload::Idle, extent, THEIR_ROOM)?;
    bystanders.ready().await?;
    bystanders.step().await?;
    bystanders.step().await?;
    load.ready().await?;
    let before = other.settled_usage().await?;
    load.step().await?;
    let after = other.usage().await?;
    bystanders.0.end().await?;
    Ok(after.microseconds_since(&before) / broadcasts as f64)
}
