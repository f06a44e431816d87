//! Assigns channels to servers and keeps the subscriptions in force.

mod probe;
mod refusals;

use std::{collections::HashMap, sync::Arc, time::Duration};

use rand::RngExt;
use redis::{FromRedisValue, PushInfo, PushKind, Value};
use roomwire_core::{BackplaneEvent, Escaped, Refusal};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::{Instant, MissedTickBehavior, interval},
};

use self::probe::Probe;
use crate::{
    command_connection::Failure,
    frame::{Frame, Origin},
    pubsub_connection::{LinkId, PubSubConnection, Signal, TimeLimits},
    state::Shared,
    topology::{Address, Topology},
};

/// The interval at which unconfirmed subscriptions are checked.
const LOOK: Duration = Duration::from_millis(100);
/// The timeout of a confirmation, after which the subscription is retried, perhaps at another server.
const CONFIRMATION: Duration = Duration::from_millis(400);
/// The minimum and maximum of the backoff between attempts to connect.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(800)];

/// Receives the server's answer to a subscription.
type Confirm = oneshot::Sender<Result<(), Refusal>>;

/// An order of the service.
#[derive(Debug)]
pub(super) enum Order {
    Subscribe { name: String, slot: u16, confirm: Confirm },
    Unsubscribe { name: String },
}

/// A requested channel.
#[derive(Debug)]
struct Wanted {
    slot: u16,
    /// The connection on which the server confirmed it.
    confirmed: Option<LinkId>,
    /// When the subscription was last requested.
    asked: Option<Instant>,
    waiting: Vec<Confirm>,
    /// Whether it was ever confirmed: the service relies on it then.
    in_force: bool,
}

/// The task that owns all subscriptions of a node. It ends when all senders of its orders are dropped.
pub(super) struct Hub {
    shared: Arc<Shared>,
    origin: Origin,
    /// The origin as text, part of this node's own channels.
    name: String,
    events: UnboundedSender<BackplaneEvent>,
    wanted: HashMap<String, Wanted>,
    links: HashMap<Address, PubSubConnection>,
    probes: HashMap<LinkId, Probe>,
    /// The number of consecutive failed attempts to connect to a server.
    failures: HashMap<Address, u32>,
    next_link: LinkId,
    signals: UnboundedSender<Signal>,
    received: Option<UnboundedReceiver<Signal>>,
    topology: Arc<Topology>,
    /// Whether messages have been missed since the last gap that was reported.
    interrupted: bool,
    /// When a refusal was last reported to the service.
    reported: Option<Instant>,
    /// When it was last logged that connections of one address are at different servers.
    warned: Option<Instant>,
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, origin: Origin, events: UnboundedSender<BackplaneEvent>) -> Self {
        let (signals, received) = unbounded_channel();
        let topology = shared.router.topology().borrow().clone();
        Self {
            shared,
            name: format!("{:016x}", u64::from_be_bytes(origin)),
            origin,
            events,
            wanted: HashMap::new(),
            links: HashMap::new(),
            probes: HashMap::new(),
            failures: HashMap::new(),
            next_link: 0,
            signals,
            received: Some(received),
            topology,
            interrupted: false,
            reported: None,
            warned: None,
        }
    }

    pub(super) async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        let Some(mut signals) = self.received.take() else { return };
        let mut topology = self.shared.router.topology();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut probes = interval(probe::EVERY);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.connect_missing();
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(signal) => {
                        // Orders take effect before later messages: nothing is delivered after an unsubscribe.
                        while let Ok(order) = orders.try_recv() {
                            self.obey(order);
                        }
                        self.handle(signal);
                    }
                    None => return,
                },
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                changed = topology.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let present = topology.borrow_and_update().clone();
                    self.follow(present);
                }
                _ = look.tick() => self.resubscribe_overdue(),
                _ = probes.tick() => self.probe_all(),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Subscribe { name, slot, confirm } => self.subscribe(&name, slot, confirm),
            Order::Unsubscribe { name } => self.unsubscribe(&name),
        }
    }

    fn subscribe(&mut self, name: &str, slot: u16, confirm: Confirm) {
        let wanted = self.wanted.entry(name.to_owned()).or_insert_with(|| Wanted {
            slot,
            confirmed: None,
            asked: None,
            waiting: Vec::new(),
            in_force: false,
        });
        if wanted.confirmed.is_some() {
            // Fails if the caller has stopped waiting.
            let _ = confirm.send(Ok(()));
            return;
        }
        wanted.waiting.push(confirm);
        if wanted.asked.is_none() {
            self.ask_for(name);
        }
    }

    fn unsubscribe(&mut self, name: &str) {
        let Some(wanted) = self.wanted.remove(name) else { return };
        if let Some(link) = self.topology.owner(wanted.slot).and_then(|server| self.links.get(server)) {
            link.unsubscribe(name);
        }
        // Perhaps it was the last interrupted channel.
        self.report_gap();
    }

    /// Subscribes at the server that has the channel's slot, if it is reachable.
    fn ask_for(&mut self, name: &str) {
        let Some(wanted) = self.wanted.get_mut(name) else { return };
        let link = self.topology.owner(wanted.slot).and_then(|server| self.links.get(server));
        if let Some(link) = link.filter(|link| link.is_up) {
            wanted.asked = Some(Instant::now());
            link.subscribe(name);
        }
    }

    fn handle(&mut self, signal: Signal) {
        match signal {
            Signal::Up(id) => {
                let Some(server) = self.server_of(id) else { return };
                self.failures.remove(&server);
                if let Some(link) = self.links.get_mut(&server) {
                    link.is_up = true;
                }
                self.ask_for_all(&server);
                self.report_gap();
            }
            Signal::Down(id, failure) => {
                let Some(server) = self.server_of(id) else { return };
                tracing::debug!(target: "roomwire", server = %Escaped(&server), reason = %Escaped(&failure), "connection for messages is away");
                if let Failure::Answered(error) = &failure {
                    self.connection_refused(&server, error);
                }
                let was_up = self.links.remove(&server).is_some_and(|link| link.is_up);
                if was_up {
                    self.lose(id);
                    self.shared.router.suspect(&server);
                }
                let failures = self.failures.entry(server).or_default();
                *failures = failures.saturating_add(1);
                self.connect_missing();
                self.ask_for_topology();
            }
            Signal::Push(id, push) => self.take(id, push),
            Signal::Refused(command, error) => self.command_refused(&command, &error),
            Signal::Unheard(id) => self.reopen(id),
        }
    }

    fn take(&mut self, id: LinkId, PushInfo { kind, data }: PushInfo) {
        let mut data = data.into_iter();
        let Some(name) = data.next().and_then(|name| String::from_redis_value(name).ok()) else { return };
        match kind {
            PushKind::SMessage => {
                let Some(Value::BulkString(bytes)) = data.next() else { return };
                if self.wanted.contains_key(&name) {
                    self.deliver(bytes);
                }
            }
            PushKind::SSubscribe => self.confirm(id, &name),
            PushKind::SUnsubscribe => self.revoke(id, &name),
            _ => {}
        }
    }

    fn confirm(&mut self, id: LinkId, name: &str) {
        // A link that was closed may have sent this before.
        if self.server_of(id).is_none() || self.is_probe(id, name, true) {
            return;
        }
        let Some(wanted) = self.wanted.get_mut(name) else { return };
        (wanted.confirmed, wanted.in_force) = (Some(id), true);
        for waiting in wanted.waiting.drain(..) {
            let _ = waiting.send(Ok(()));
        }
        self.report_gap();
    }

    fn revoke(&mut self, id: LinkId, name: &str) {
        if self.is_probe(id, name, false) {
            return;
        }
        let Some(wanted) = self.wanted.get_mut(name).filter(|wanted| wanted.confirmed == Some(id)) else { return };
        // Without an order of this node: the slot moved to another server.
        (wanted.confirmed, wanted.asked) = (None, None);
        self.interrupt();
        self.ask_for_topology();
    }

    fn deliver(&mut self, bytes: Vec<u8>) {
        match Frame::read(bytes) {
            // Fails if the receiver was dropped; the message is not needed then.
            Frame::Message(message) => drop(self.events.send(BackplaneEvent::Message(message))),
            Frame::Settings(text) => self.shared.rooms.hear(&text),
            Frame::Unreadable(reason) => drop(self.events.send(BackplaneEvent::Unreadable(reason))),
        }
    }

    /// Marks the channels of a connection as unconfirmed.
    fn lose(&mut self, id: LinkId) {
        for wanted in self.wanted.values_mut() {
            if wanted.confirmed == Some(id) || wanted.confirmed.is_none() {
                (wanted.confirmed, wanted.asked) = (None, None);
            }
        }
        self.interrupt();
    }

    fn interrupt(&mut self) {
        if !std::mem::replace(&mut self.interrupted, true) {
            let _ = self.events.send(BackplaneEvent::Interrupted);
        }
    }

    /// Reports a gap, as soon as no message is being missed any more.
    fn report_gap(&mut self) {
        let is_whole = || self.wanted.values().all(|wanted| wanted.confirmed.is_some());
        if self.interrupted && is_whole() {
            self.interrupted = false;
            let _ = self.events.send(BackplaneEvent::Gap);
        }
    }

    fn resubscribe_overdue(&mut self) {
        let late = |wanted: &Wanted| {
            wanted.confirmed.is_none() && wanted.asked.is_none_or(|since| since.elapsed() > CONFIRMATION)
        };
        let late: Vec<_> =
            self.wanted.iter().filter(|(_, wanted)| late(wanted)).map(|(name, _)| name.clone()).collect();
        if late.is_empty() {
            return;
        }
        for name in &late {
            self.ask_for(name);
        }
        self.ask_for_topology();
    }

    /// Follows the slots to their new servers.
    fn follow(&mut self, topology: Arc<Topology>) {
        self.topology = topology;
        let servers = self.topology.servers();
        let gone: Vec<_> = self.links.keys().filter(|server| !servers.contains(server)).cloned().collect();
        for server in gone {
            if let Some(link) = self.links.remove(&server).filter(|link| link.is_up) {
                self.lose(link.id);
            }
            self.failures.remove(&server);
        }
        self.connect_missing();
        for server in servers {
            self.ask_for_all(&server);
        }
    }

    /// Subscribes to all channels of a server that are unconfirmed on the current connection.
    fn ask_for_all(&mut self, server: &Address) {
        let Some(link) = self.links.get(server).filter(|link| link.is_up) else { return };
        let now = Instant::now();
        for (name, wanted) in &mut self.wanted {
            if self.topology.owner(wanted.slot) == Some(server) && wanted.confirmed != Some(link.id) {
                wanted.asked = Some(now);
                link.subscribe(name);
            }
        }
    }

    fn connect_missing(&mut self) {
        for server in self.topology.servers() {
            if self.links.contains_key(&server) {
                continue;
            }
            let failures = self.failures.get(&server).copied().unwrap_or_default();
            self.next_link += 1;
            let link = PubSubConnection::open(
                self.next_link,
                self.origin,
                self.shared.router.connection_to(&server),
                pause_after(failures),
                TimeLimits { connect: self.shared.router.connect_timeout(), transfer: self.shared.router.transfer() },
                self.signals.clone(),
            );
            self.links.insert(server, link);
        }
    }

    fn ask_for_topology(&self) {
        self.shared.router.ask_for_topology(&self.topology);
    }

    fn server_of(&self, id: LinkId) -> Option<Address> {
        self.links.iter().find(|(_, link)| link.id == id).map(|(server, _)| server.clone())
    }
}

/// Zero before the first attempt, then growing, with jitter.
fn pause_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let pause = PAUSES[0].saturating_mul(2_u32.saturating_pow(doublings)).min(PAUSES[1]);
    pause.mul_f64(rand::rng().random_range(0.75..1.0))
}
