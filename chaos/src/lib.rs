//! Shows that several nodes on one Redis stay one service, whatever is killed, stopped or cut off.
//!
//! A [`Fixture`] is a Redis, some [nodes](Node) in processes of their own, and a [`Crowd`] of [clients](Client) with
//! real websockets. Tests kill, stop, cut off and fill up parts of it; a [`Checker`] compares what Redis, the nodes and
//! the clients believe, and a [`Ledger`] holds every event that any node reported.
//!
//! Whatever a test cannot go on without panics with the reason.

mod checker;
mod client;
pub mod control;
mod crowd;
mod fixture;
mod ledger;
mod line;
mod node;
mod proxy;
mod roster;
mod turn;
mod view;

pub use checker::Checker;
pub use client::{Belief, Client, Comeback, Heard};
pub use crowd::Crowd;
pub use fixture::{Fixture, Plan, rooms};
pub use ledger::{Entry, Ledger};
pub use node::{Node, NodeSettings};
pub use proxy::{Fault, Lines, Proxy};
pub use roster::Roster;
pub use turn::Turn;
pub use view::View;

use std::time::Duration;

use tokio::time::{Instant, sleep};

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
