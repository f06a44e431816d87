//! A server on a loopback port, and clients that speak the protocol byte by byte.

#[path = "../../../../service/tests/properties/fixture/counters.rs"]
mod counters;
mod departures;
mod fixture;
mod http;
#[allow(dead_code, reason = "shared with the tests of the service")]
#[path = "../../../../service/tests/properties/fixture/ledger.rs"]
mod ledger;
mod log;
mod polling;
mod store;
pub(crate) mod tls;
mod websocket;

use std::time::Duration;

pub(crate) use counters::Counters;
pub(crate) use departures::{Departure, Departures};
pub(crate) use fixture::{Fixture, config, defaults};
pub(crate) use http::{Answer, Http};
pub(crate) use ledger::Ledger;
pub(crate) use log::Log;
pub(crate) use polling::Polling;
pub(crate) use store::GatedStore;
pub(crate) use tls::{Certificate, Wss};
pub(crate) use websocket::{Frame, WebSocket, connected_id, frame, handshake, head};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The output of a future that must end in time.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Lets this process have as many files open as it may ask for: each connection takes two here.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Returns when the condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A number below `below`; the same sequence in each run.
pub(crate) fn chance(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}
