//! What the tests share: services, clusters, their events, and decorators that watch or break what lies below.

mod bus;
mod chance;
mod cluster;
mod counters;
mod deadline;
mod leases;
mod ledger;
mod log;
mod script;
mod store;
mod wire;

pub(crate) use bus::WatchedBus;
pub(crate) use chance::stumble;
pub(crate) use cluster::{Cluster, Node, config, server, watched};
pub(crate) use counters::Counters;
pub(crate) use deadline::{eventually, within};
pub(crate) use leases::Leases;
pub(crate) use ledger::{Ledger, Stay};
pub(crate) use log::Log;
pub(crate) use script::Moment;
pub(crate) use store::WatchedStore;
pub(crate) use wire::Wire;
