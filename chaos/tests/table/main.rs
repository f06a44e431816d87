//! What must hold whatever happens: one test for each row of the table.
//!
//! Three nodes, 1,000 clients and 100 rooms unless a test says otherwise. Each prints what it measured.

mod bus;
mod clocks;
mod cut_off;
mod idle_node;
mod killed_nodes;
mod lost_data;
mod memory_full;
mod older_data;
mod paused_node;
mod races;
mod redis_away;
mod redis_cluster;
mod return_of_all;

use roomwire_chaos::{Plan, Stage};

const NODE: &str = env!("CARGO_BIN_EXE_chaos-node");

/// The usual stage.
async fn stage() -> Stage {
    Stage::set(NODE, Plan::default()).await
}
