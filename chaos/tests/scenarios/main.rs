//! What must hold whatever happens: one test for each row of the table.
//!
//! Three nodes, 1,000 clients and 100 rooms unless a test says otherwise. Each prints what it measured.

mod bus;
mod clocks;
mod cut_off;
mod damaged_keys;
mod demoted_server;
mod idle_node;
mod killed_nodes;
mod lost_data;
mod memory_full;
mod normal_stops;
mod older_data;
mod open_files;
mod paused_node;
mod races;
mod redis_away;
mod redis_cluster;
mod return_of_all;
mod twins;

use std::time::Duration;

use roomwire_chaos::{Fixture, Plan};

const NODE: &str = env!("CARGO_BIN_EXE_chaos-node");

/// The lease of a [`quick`] fixture.
const QUICK_LEASE: Duration = Duration::from_millis(800);

/// A plan with leases that run out soon, and operations that fail soon.
fn quick() -> Plan {
    let variables = [
        ("ROOMWIRE_LEASE__DURATION", QUICK_LEASE.as_millis().to_string()),
        ("ROOMWIRE_LEASE__HEARTBEAT", "100".to_owned()),
        ("ROOMWIRE_STATE__TIMEOUT", "300".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Plan { variables: variables.to_vec(), ..Plan::default() }
}

/// The usual fixture.
async fn fixture() -> Fixture {
    Fixture::set(NODE, Plan::default()).await
}
