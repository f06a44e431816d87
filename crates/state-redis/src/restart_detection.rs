//! Detects a server that restarted, or was replaced, with older data.
//!
//! Such a server has no scripts cached, or a partition is at another address than before: its partitions are marked
//! before the first script runs there.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue, Value};
use roomwire_core::StateError;
use tokio::time::Instant;

use crate::{
    router::{Repeat, Router, state_error},
    script,
    topology::Address,
};

/// The timeout of another server's run id. A server that does not answer in time counts as removed.
const ANSWER: Duration = Duration::from_millis(400);

impl Router {
    /// Called after a server reported an unknown script: makes the partitions of that server refuse new joins if its
    /// data is of another run.
    pub(crate) async fn heed_restart(self: &Arc<Self>, slot: u16, deadline: Instant) -> Result<(), StateError> {
        let topology = self.topology().borrow().clone();
        let Some(server) = topology.owner(slot) else { return Ok(()) };
        let servers = topology.servers();
        let runs =
            join_all(servers.iter().map(|server| self.run_of(server, deadline.min(Instant::now() + ANSWER)))).await;
        // Uses retries: the connection may have broken with the server.
        let answer = self.call(slot, 0, &question(), Repeat::Always, deadline).await;
        let own = answer.map_err(|failure| state_error("INFO", &failure)).map(run_in)?;
        let Some(run) = own else {
            return Err(StateError::unavailable(format!("{server} does not tell who it is")));
        };
        let mut args = vec![run.into_bytes(), self.grace().to_string().into_bytes()];
        args.extend(runs.into_iter().flatten().map(String::into_bytes));
        for partition in self.keys.partitions() {
            let its = self.keys.slot(partition);
            if topology.owner(its) != Some(server) {
                continue;
            }
            let mut command = script::RECOVER.by_source(&self.keys, partition);
            command.arg(&args);
            let told = self.call(its, 0, &command, Repeat::Always, deadline).await;
            told.map_err(|failure| state_error(script::RECOVER.name(), &failure))?;
        }
        Ok(())
    }

    /// The run id, which changes with every restart.
    async fn run_of(&self, server: &Address, deadline: Instant) -> Option<String> {
        run_in(self.shard(server).ok()?.send(0, &question(), deadline).await.ok()?)
    }
}

fn question() -> Cmd {
    let mut question = redis::cmd("INFO");
    question.arg("server");
    question
}

fn run_in(answer: Value) -> Option<String> {
    let info = String::from_redis_value(answer).ok()?;
    info.lines().find_map(|line| line.strip_prefix("run_id:")).map(|run| run.trim().to_owned())
}
