//! Real Redis servers for tests.
//!
//! Each [`RedisServer`] is a `redis-server` process on a free port of the loopback, with its data in a temporary
//! folder. It can be stopped, killed, started again and filled to the brim, and is gone with the test, also when that
//! panics or is killed. A [`RedisCluster`] is several of them.
//!
//! Whatever cannot be done panics with the reason: a test has nothing better to do with it.

mod clock;
mod cluster;
mod guard;
mod node_table;
mod port;
mod server;
mod slot_move;

pub use clock::ShiftedClock;
pub use cluster::RedisCluster;
pub use port::free_port;
pub use server::{RedisServer, Settings};
