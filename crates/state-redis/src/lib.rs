//! The state of Roomwire in Redis or Redis Cluster.
//!
//! [`RedisState`] implements both ports of a backend, [`StateStore`](roomwire_core::StateStore) and
//! [`Backplane`](roomwire_core::Backplane): several processes that connect to one Redis are one service. It needs
//! Redis 7.0 or newer.
//!
//! Every atomic operation is a script in `scripts/`; `keys.rs` names every key and channel.

mod backplane;
mod cached_rooms;
mod client_locks;
mod clients;
mod command_connection;
mod config;
mod connect_error;
mod cursor;
mod expulsion;
mod frame;
mod keys;
mod lease;
mod members;
mod metrics;
#[cfg(test)]
mod names_apart;
mod nodes;
mod output_buffer;
mod pending_cleanup;
mod pubsub_connection;
mod reaping;
mod redis_state;
mod refusal;
mod removals;
mod repair;
mod reply;
mod restart_detection;
mod revocations;
mod rights;
mod rooms;
mod router;
mod script;
mod server_check;
mod shard;
mod state;
mod store;
mod stored_clients;
mod subscriptions;
mod tls_mismatch;
mod topology;
mod users;
mod verdict;
mod write_counts;

pub use config::RedisConfig;
pub use connect_error::ConnectError;
pub use metrics::METRICS;
pub use redis_state::RedisState;
