//! One node of the cluster under test: a service with its gateway, over a store and a backplane with faults.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use roomwire_core::{Backplane, Clock, Error, NodeId, StateStore, Timestamp};
use roomwire_service::{
    Client, Data, Dispatcher, Gateway, ServiceEvent, ServiceEvents, WebSocketConfig, WebSocketService,
};

use crate::{bus::FaultyBus, calls::Calls, connections::Connections, random::Random, store::FaultyStore};

/// The clock of the tokio runtime, which tests may pause.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    began: tokio::time::Instant,
    at: Timestamp,
}

impl RuntimeClock {
    /// Starts a clock at this time.
    pub(crate) fn start(at: Timestamp) -> Arc<Self> {
        Arc::new(Self { began: tokio::time::Instant::now(), at })
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        self.at.plus(self.began.elapsed())
    }
}

/// The lifecycle of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Running,
    Stopping,
    Gone,
}

/// A call of `on_connect` or `on_disconnect`, with the number of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    Connect(u64),
    Disconnect(u64),
}

/// The service events of a node.
#[derive(Debug)]
struct Reports {
    /// None once the process was killed.
    stream: Option<ServiceEvents>,
    read: Vec<ServiceEvent>,
}

impl Reports {
    fn read(&mut self) {
        if let Some(stream) = &mut self.stream {
            while let Some(Some(event)) = stream.next().now_or_never() {
                self.read.push(event);
            }
        }
    }
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: usize,
    /// Unique in the episode.
    pub(crate) number: u64,
    pub(crate) service: WebSocketService,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) connections: Arc<Connections>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) bus: Arc<FaultyBus>,
    phase: AtomicU8,
    events: Mutex<Reports>,
    handled: Arc<Mutex<Vec<Handled>>>,
}

impl Node {
    pub(crate) async fn start(
        place: usize,
        number: u64,
        config: WebSocketConfig,
        (store, backplane): (Arc<dyn StateStore>, Arc<dyn Backplane>),
        (random, calls, clock): (Random, Calls, Arc<RuntimeClock>),
    ) -> Arc<Self> {
        let node_id = Some(NodeId::new(["a", "b", "c"][place]).expect("valid"));
        let (store, bus) = (FaultyStore::new(store, random.clone()), FaultyBus::new(backplane, random.clone()));
        let builder = WebSocketService::builder(WebSocketConfig { node_id, ..config }).clock(clock);
        let service = builder.state_and_backplane(store.clone(), bus.clone()).build().await.expect("builds");
        let connections = Arc::new(Connections::default());
        let events = Mutex::new(Reports { stream: Some(service.events()), read: Vec::new() });
        let handled = Arc::new(Mutex::default());
        let gateway = gateway(&random, &calls, &handled);
        let dispatcher = Dispatcher::new(service.clone(), gateway).expect("has no mistakes");
        let phase = AtomicU8::new(Phase::Running as u8);
        Arc::new(Self { place, number, service, dispatcher, connections, store, bus, phase, events, handled })
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Running,
            1 => Phase::Stopping,
            _ => Phase::Gone,
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Takes the events reported since the last call.
    pub(crate) fn take_events(&self) -> Vec<ServiceEvent> {
        let mut events = self.events.lock();
        events.read();
        std::mem::take(&mut events.read)
    }

    /// Kills the process: its calls fail, and its events are not read any more.
    pub(crate) async fn kill(&self) {
        {
            let mut events = self.events.lock();
            events.read();
            events.stream = None;
        }
        self.store.sever();
        self.bus.sever();
        self.bus.inner().close().await;
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.events.lock().stream.is_none()
    }

    /// Takes the calls of `on_connect` and `on_disconnect` since the last call.
    pub(crate) fn take_handled(&self) -> Vec<Handled> {
        std::mem::take(&mut self.handled.lock())
    }

    /// Removes all faults.
    pub(crate) fn become_reliable(&self) {
        for faults in [&**self.store, &**self.bus] {
            faults.lose_calls(0);
            faults.set_away(false);
        }
        self.bus.set_deaf(false);
    }
}

fn gateway(random: &Random, calls: &Calls, handled: &Arc<Mutex<Vec<Handled>>>) -> Gateway {
    let connected = (random.clone(), handled.clone());
    let disconnected = (random.clone(), handled.clone());
    let (joins, leaves, works) = (calls.clone(), calls.clone(), random.clone());
    Gateway::new()
        .on_connect(move |client: Client| async move {
            let (random, handled) = connected;
            handled.lock().push(Handled::Connect(number_of(&client)));
            random.yield_randomly("on_connect").await;
            Ok::<(), Error>(())
        })
        .on_disconnect(move |client: Client| async move {
            let (random, handled) = disconnected;
            random.yield_randomly("on_disconnect").await;
            handled.lock().push(Handled::Disconnect(number_of(&client)));
            Ok::<(), Error>(())
        })
        .on("join", move |service: WebSocketService, client: Client, Data(room): Data<usize>| async move {
            joins.join(&service, &client, room).await
        })
        .on("leave", move |service: WebSocketService, client: Client, Data(room): Data<usize>| async move {
            leaves.leave(&service, &client, room).await
        })
        .on("work", move |Data(millis): Data<u64>| async move {
            works.yield_randomly("work").await;
            tokio::time::sleep(Duration::from_millis(millis)).await;
            works.yield_randomly("work").await;
            Ok::<u64, Error>(millis)
        })
}

/// The number of a client's connection, which the handshake carries.
pub(crate) fn number_of(client: &Client) -> u64 {
    client.handshake().decode().expect("a number")
}
