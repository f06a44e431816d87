//! Honest clients that come while others are there: they must be let in all the time.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, interval, timeout};

use crate::{WebSocket, fresh, ledger::Ledger};

/// Between two of them.
const PACE: Duration = Duration::from_millis(200);
/// How long one may take to come, to be answered, and to go: on a busy machine, and much less than a refused client
/// waits.
const TOO_LONG: Duration = Duration::from_secs(3);

/// How many came.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    came: AtomicU64,
    slowest: AtomicU64,
}

impl Newcomers {
    pub(crate) fn came(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }

    /// How long the slowest took.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest.load(Ordering::Relaxed))
    }
}

/// Lets one after the other come, each from an address of its own, until the ledger is closed.
pub(crate) async fn come(server: SocketAddr, connect: String, newcomers: Arc<Newcomers>, ledger: Arc<Ledger>) {
    let mut ticks = interval(PACE);
    while !ledger.is_closed() {
        ticks.tick().await;
        let began = Instant::now();
        match timeout(TOO_LONG, one(server, &connect)).await {
            Ok(Ok(())) => {
                newcomers.came.fetch_add(1, Ordering::Relaxed);
                let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                newcomers.slowest.fetch_max(took, Ordering::Relaxed);
            }
            Ok(Err(refused)) => ledger.fault(format!("an honest client was not let in: {refused}")),
            Err(_) => ledger.fault(format!("an honest client was not let in within {TOO_LONG:?}")),
        }
    }
}

async fn one(server: SocketAddr, connect: &str) -> Result<(), String> {
    let mut client = WebSocket::connect_by(fresh(), server, connect).await?;
    let answer = client.ask_for(0, r#"["size","here I am"]"#).await;
    if answer.as_deref() != Some("[11]") {
        return Err(format!("{answer:?}"));
    }
    client.close().await;
    Ok(())
}
