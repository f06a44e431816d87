//! Episodes: rounds of concurrent actions, each followed by checks of the idle cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use roomwire_core::{ClientId, DisconnectReason, RoomId};
use tokio::{runtime::Builder, task::JoinHandle, time::sleep};

use crate::{
    calls::ROOMS,
    check::{self, Memberships},
    cluster::{Cluster, id_of},
    device::Device,
    events::Events,
    gauge::ClientGauge,
    messages::{self, Messages, To},
    node::{Handled, Phase},
    operator::{self, OperatorLog},
    profile::Profile,
    random::Random,
};

/// The time limit for the cluster to become idle and consistent.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs an episode on its own runtime. Returns the number of steps and the fingerprint of the run.
///
/// # Panics
/// When a check fails, with the seed for a replay.
pub(crate) fn run(
    profile: Profile,
    seed: u64,
    keep_journal: bool,
    script: impl AsyncFnOnce(&mut Episode<'_>) -> Result<usize, String>,
) -> (usize, u64) {
    let random = Random::seeded(seed, keep_journal);
    let problem = match outcome(profile, &random, script) {
        Ok(steps) => return (steps, random.fingerprint()),
        Err(problem) => problem,
    };
    for line in random.journal() {
        println!("{line}");
    }
    panic!("{problem}\n\nin `{}`; to see it again: MODEL_SEED={seed}", profile.name);
}

fn outcome(
    profile: Profile,
    random: &Random,
    script: impl AsyncFnOnce(&mut Episode<'_>) -> Result<usize, String>,
) -> Result<usize, String> {
    let gauge = ClientGauge::default();
    let _counted = metrics::set_default_local_recorder(&gauge);
    let mut builder = Builder::new_current_thread();
    if profile.redis {
        builder.enable_all();
    } else {
        // No I/O driver: an episode in memory makes no system calls.
        builder.enable_time().start_paused(true).event_interval(1024);
    }
    let episode = async {
        let mut episode = Episode::begin(profile, random.clone(), &gauge).await;
        let steps = script(&mut episode).await?;
        episode.end().await?;
        Ok(steps)
    };
    let outcome = builder.build().expect("starts").block_on(AssertUnwindSafe(episode).catch_unwind());
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    })
}

/// Clients and memberships.
type Present = BTreeSet<(ClientId, Option<RoomId>)>;

/// A running episode.
pub(crate) struct Episode<'a> {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) messages: Arc<Messages>,
    pub(crate) log: Arc<OperatorLog>,
    events: Events,
    gauge: &'a ClientGauge,
    /// The latest handler of each connection: true for `on_connect`.
    handled: BTreeMap<u64, bool>,
    memberships: Memberships,
}

/// Rounds of random actions of devices, an operator and a messenger.
pub(crate) async fn at_random(episode: &mut Episode<'_>) -> Result<usize, String> {
    let profile = episode.cluster.profile;
    let mut devices: Vec<_> = (0..profile.devices).map(Device::new).collect();
    for round in 0..profile.rounds {
        episode.cluster.random.note(|| format!("round {round}"));
        devices = episode.round(devices).await;
        episode.rest().await.map_err(|problem| format!("after round {round}: {problem}"))?;
    }
    Ok(profile.rounds * (profile.devices * profile.steps + profile.steps))
}

impl<'a> Episode<'a> {
    async fn begin(profile: Profile, random: Random, gauge: &'a ClientGauge) -> Self {
        Self {
            cluster: Cluster::start(profile, random).await,
            messages: Arc::default(),
            log: Arc::default(),
            events: Events::default(),
            gauge,
            handled: BTreeMap::new(),
            memberships: Memberships::new(),
        }
    }

    /// Closes all connections and checks that nothing is left.
    async fn end(&mut self) -> Result<(), String> {
        for node in self.cluster.nodes() {
            for connection in node.connections.all() {
                node.connections.end(&connection, DisconnectReason::ClientDisconnected);
            }
        }
        self.rest().await.map_err(|problem| format!("when all had left: {problem}"))
    }

    /// Runs all actors concurrently.
    async fn round(&mut self, devices: Vec<Device>) -> Vec<Device> {
        let (cluster, steps) = (&self.cluster, self.cluster.profile.steps);
        let acting: Vec<_> =
            devices.into_iter().map(|device| tokio::spawn(device.act(cluster.clone(), steps))).collect();
        let operator = tokio::spawn(operator::act(cluster.clone(), self.log.clone(), steps / 2));
        let messenger = tokio::spawn(messages::act(cluster.clone(), self.messages.clone(), steps / 2));
        let mut devices = Vec::new();
        for device in acting {
            devices.push(done(device).await);
        }
        done(operator).await;
        done(messenger).await;
        devices
    }

    /// Waits until the cluster is idle, and checks everything.
    pub(crate) async fn rest(&mut self) -> Result<(), String> {
        self.cluster.nodes().iter().for_each(|node| node.become_reliable());
        let began = tokio::time::Instant::now();
        let (memberships, present) = loop {
            let changes = self.changes();
            sleep(self.cluster.profile.heartbeat * 2).await;
            let is_still = changes == self.changes() && self.cluster.calls.running() == 0;
            self.read_reports()?;
            let problem = match self.check().await {
                Ok(known) if is_still => break known,
                Ok(_) => "something goes on for ever".to_owned(),
                Err(problem) => problem,
            };
            if began.elapsed() > PATIENCE {
                return Err(problem);
            }
        };
        self.probe().await?;
        self.refusals()?;
        self.memberships = memberships;
        self.events.begin_round(present);
        for connection in self.cluster.connections() {
            connection.forget_received();
        }
        self.cluster.forget_former();
        self.cluster.calls.forget();
        self.messages.forget();
        self.log.forget();
        for node in self.cluster.nodes() {
            node.store.forget();
            node.store.lose_calls(self.cluster.profile.lost_calls);
            node.bus.lose_calls(self.cluster.profile.lost_calls);
        }
        Ok(())
    }

    /// The number of calls that may have changed something.
    fn changes(&self) -> u64 {
        self.cluster.nodes().iter().map(|node| node.store.changes() + node.bus.changes()).sum()
    }

    async fn check(&mut self) -> Result<(Memberships, Present), String> {
        let cluster = self.cluster.clone();
        let memberships = check::places(&cluster, &self.log, &self.memberships).await?;
        check::received(&cluster, &self.messages, &self.memberships)?;
        check::departures(&cluster, &self.log)?;
        let open = check::open_connections(&cluster)?;
        let count = self.gauge.clients();
        if count != open.len() as i64 {
            return Err(format!("the gauge is at {count}, {} clients are connected", open.len()));
        }
        let mut present = Present::new();
        for (device, connection) in &open {
            present.insert((id_of(*device), None));
            let rooms = memberships[&connection.number].iter().map(|room| ROOMS[*room].parse().expect("valid"));
            present.extend(rooms.map(|room| (id_of(*device), Some(room))));
        }
        self.events.check(&present, &check::unannounced(&cluster), &check::unknown(&cluster, &self.log))?;
        let at_work: BTreeSet<u64> =
            self.handled.iter().filter(|(_, connects)| **connects).map(|(it, _)| *it).collect();
        let expected: BTreeSet<u64> = open.values().map(|connection| connection.number).collect();
        if at_work != expected {
            return Err(format!("on_connect without on_disconnect: {at_work:?}, connected are {expected:?}"));
        }
        Ok((memberships, present))
    }

    /// Reads events and handler calls. Their order must be right at any time.
    fn read_reports(&mut self) -> Result<(), String> {
        let cluster = self.cluster.clone();
        for node in cluster.former().iter().chain(&cluster.nodes()) {
            self.events.take(node.number, node.place, node.take_events(), &cluster.profile)?;
            for handled in node.take_handled() {
                self.take_handled(handled)?;
            }
        }
        Ok(())
    }

    fn take_handled(&mut self, handled: Handled) -> Result<(), String> {
        let (number, connects) = match handled {
            Handled::Connect(number) => (number, true),
            Handled::Disconnect(number) => (number, false),
        };
        match (self.handled.insert(number, connects), connects) {
            (None, true) | (Some(true), false) => Ok(()),
            (before, _) => Err(format!("{number}: {handled:?} after {before:?}")),
        }
    }

    /// Checks that a broadcast reaches exactly the members of each room.
    async fn probe(&self) -> Result<(), String> {
        for room in 0..ROOMS.len() {
            messages::send(&self.cluster, &self.messages, To::Room(room)).await;
        }
        sleep(Duration::from_millis(20)).await;
        check::received(&self.cluster, &self.messages, &self.memberships).map_err(|problem| format!("probe: {problem}"))
    }

    /// Checks the error codes of failed calls.
    fn refusals(&self) -> Result<(), String> {
        use roomwire_core::ErrorCode::{
            ClientNotFound, NotInRoom, RoomClosed, RoomFull, RoomNotFound, ShuttingDown, StateUnavailable,
        };
        let (cluster, profile) = (&self.cluster, self.cluster.profile);
        let stops = profile.stops || cluster.nodes().iter().any(|node| node.phase() != Phase::Running);
        for code in cluster.calls.take_refusals() {
            let is_expected = match code {
                ClientNotFound | NotInRoom | RoomClosed | RoomFull | RoomNotFound => true,
                StateUnavailable => profile.loses_leases() || profile.kills,
                ShuttingDown => stops,
                _ => false,
            };
            if !is_expected {
                return Err(format!("a call was refused with {code}"));
            }
        }
        Ok(())
    }
}

/// Waits for a task. Resumes its panic.
pub(crate) async fn done<T>(task: JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
