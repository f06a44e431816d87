//! A server that was started again, or took another's place, with older data.
//!
//! Whatever its data says, such a server knows no script: before the first one runs there, the partitions are told.

use roomwire_core::StateError;
use tokio::time::Instant;

use crate::{
    router::{Repeat, Router, state_error},
    script,
};

impl Router {
    /// For who found a script unknown: lets the partitions of that server refuse newcomers if its data is that of
    /// another run.
    pub(crate) async fn heed_restart(&self, slot: u16, deadline: Instant) -> Result<(), StateError> {
        let topology = self.topology().borrow().clone();
        let Some(server) = topology.owner(slot) else { return Ok(()) };
        let mut question = redis::cmd("INFO");
        question.arg("server");
        let answer = self.call(slot, 0, &question, Repeat::Always, deadline).await;
        let info: String = answer.map_err(|failure| state_error("info", failure)).and_then(|value| {
            redis::from_redis_value(value).map_err(|error| StateError::unavailable(error.to_string()))
        })?;
        let Some(run) = info.lines().find_map(|line| line.strip_prefix("run_id:")) else { return Ok(()) };
        let grace = self.grace().to_string();
        let args = [run.trim().as_bytes().to_vec(), grace.into_bytes()];
        for partition in self.keys.partitions() {
            let its = self.keys.slot(partition);
            if topology.owner(its) != Some(server) {
                continue;
            }
            let mut command = script::RECOVER.by_source(&self.keys, partition);
            command.arg(&args);
            let told = self.call(its, 0, &command, Repeat::Always, deadline).await;
            told.map_err(|failure| state_error(script::RECOVER.name(), failure))?;
        }
        Ok(())
    }
}
