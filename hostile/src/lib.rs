//! Shows that one hostile client harms no other.
//!
//! A [`Fixture`] is a [`Server`] in a process of its own, with the limits that it has by default, and a [`Crowd`] of a
//! hundred clients that chat in ten rooms. Tests attack the server meanwhile, over raw [websockets](WebSocket) and
//! [HTTP](Http), from loopback addresses of their own. In the end the crowd must have lost nothing, the 99th percentile
//! of its latencies must not have doubled, and the server must not have panicked.
//!
//! Whatever a test cannot go on without panics with the reason.

mod address;
mod attackers;
mod corpus;
mod crowd;
mod fixture;
mod http;
mod issuer;
mod latency;
mod ledger;
mod member;
mod memory;
mod mutation;
mod newcomers;
mod polling;
mod redis_calls;
mod server;
mod values;
mod websocket;

pub use address::{allow_many_files, connect_from, fresh};
pub use attackers::Attackers;
pub use corpus::corpus;
pub use crowd::Crowd;
pub use fixture::Fixture;
pub use http::{Answer, Http};
pub use issuer::Issuer;
pub use latency::Phase;
pub use memory::Memory;
pub use mutation::{Mutation, Mutator};
pub use polling::Polling;
pub use redis_calls::{Call, RedisCalls, most_in_a_second};
pub use server::{Counts, Listening, Metrics, Server, Settings, connect_packet};
pub use websocket::{Frame, Refused, WebSocket, continuation, frame, head};

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The output of a future that must end in time.
///
/// # Panics
/// When it does not.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Waits until there is something.
///
/// # Panics
/// When it does not come within that time.
pub async fn eventually<T>(what: &str, within: Duration, mut there: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(there) = there().await {
            return there;
        }
        assert!(begin.elapsed() < within, "{what}: not within {within:?}");
        sleep(Duration::from_millis(10)).await;
    }
}
