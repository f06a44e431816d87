//! A Redis Cluster.

use std::{fs, time::Duration};

use redis::{FromRedisValue, RedisResult};
use tokio::time::{Instant, sleep};

use crate::{
    node_table::{Place, tables},
    port::free_port,
    server::{PortTaken, RedisServer, Settings, TRIES},
};

/// How long a cluster may take until it serves all its slots.
const PATIENCE: Duration = Duration::from_secs(20);
/// After how long a silent server is taken for dead by the others.
const NODE_TIMEOUT: &str = "1500";

/// Several `redis-server` processes that are one cluster. Dropping it kills them and removes their data.
#[derive(Debug)]
pub struct RedisCluster {
    /// Masters first, then their replicas. A failover changes the roles, not the order.
    servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts so many masters, which share all slots evenly, with so many replicas each, and waits until all is served
    /// and replicated. A silent server is taken for dead after 1.5 seconds.
    pub async fn start(masters: usize, replicas_each: usize) -> Self {
        Self::start_with(masters, replicas_each, Settings::default()).await
    }

    /// As [`Self::start`], with settings for each server.
    pub async fn start_with(masters: usize, replicas_each: usize, settings: Settings) -> Self {
        let settings = settings
            .with("cluster-enabled", "yes")
            .with("cluster-node-timeout", NODE_TIMEOUT)
            // A replica that just lost its link may take over all the same.
            .with("cluster-replica-validity-factor", "0")
            // The slots of others are served on when one master is gone.
            .with("cluster-require-full-coverage", "no")
            .with("repl-diskless-sync-delay", "0");
        // Another program may take a port before a server does.
        for _ in 0..TRIES {
            let places: Vec<_> = (0..masters * (1 + replicas_each))
                .map(|index| (free_port(), index.checked_sub(masters).map(|replica| replica / replicas_each.max(1))))
                .collect();
            let mut servers: Vec<_> =
                places.iter().map(|(bus, _)| RedisServer::new(settings.clone(), Some(*bus))).collect();
            let places: Vec<_> = servers
                .iter()
                .zip(places)
                .map(|(server, (bus, master))| Place { port: server.port(), bus, master })
                .collect();
            for (server, table) in servers.iter().zip(tables(&places)) {
                let written = fs::write(server.folder().join("nodes.conf"), table);
                written.unwrap_or_else(|error| panic!("nodes.conf cannot be written: {error}"));
            }
            if run_all(&mut servers).await.is_ok() {
                let cluster = Self { servers };
                cluster.is_whole().await;
                return cluster;
            }
        }
        panic!("a cluster finds every port in use")
    }

    /// What clients connect to: all servers, in their order.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// The servers: masters in the order of their slots, then the replicas of the first, of the second, and so on.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// One server, to be stopped or started again.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn server_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// Kills a server by its number, a master if there was no failover before. Returns at once; a replica takes
    /// over by itself.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn kill_master(&mut self, index: usize) {
        self.servers[index].kill();
    }

    /// Asks all servers that run; the answers in their order.
    pub async fn ask_all<T: FromRedisValue>(&self, command: &[&str]) -> Vec<T> {
        let mut answers = Vec::with_capacity(self.servers.len());
        for server in self.servers.iter().filter(|server| server.is_running()) {
            answers.push(server.ask(command).await);
        }
        answers
    }

    /// The number of the server that serves a slot now, as the servers that run agree; none while they do not.
    pub async fn owner(&self, slot: u16) -> Option<usize> {
        let mut owner = None;
        for server in self.servers.iter().filter(|server| server.is_running()) {
            let ranges: RedisResult<Vec<redis::Value>> = server.try_ask(&["CLUSTER", "SLOTS"]).await;
            let port = ranges.ok()?.iter().find_map(|range| port_if_serving(range, slot))?;
            if *owner.get_or_insert(port) != port {
                return None;
            }
        }
        self.servers.iter().position(|server| Some(server.port()) == owner && server.is_running())
    }

    /// Waits until all servers that run say that their cluster is well and their replicas have caught up.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn is_whole(&self) {
        let deadline = Instant::now() + PATIENCE;
        for server in self.servers.iter().filter(|server| server.is_running()) {
            loop {
                let state: RedisResult<String> = server.try_ask(&["CLUSTER", "INFO"]).await;
                let role: RedisResult<String> = server.try_ask(&["INFO", "replication"]).await;
                let well = state
                    .as_ref()
                    .is_ok_and(|state| state.contains("cluster_state:ok") && state.contains("cluster_slots_ok:16384"))
                    && role.as_ref().is_ok_and(|role| !role.contains("master_link_status:down"));
                if well {
                    break;
                }
                assert!(Instant::now() < deadline, "the cluster does not get well: {state:?}, {role:?}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Starts all servers at once: each takes its time to come up.
async fn run_all(servers: &mut [RedisServer]) -> Result<(), PortTaken> {
    for server in servers.iter_mut() {
        server.spawn();
    }
    for server in servers {
        server.is_up().await?;
    }
    Ok(())
}

/// The port of the master that serves a slot, if this range of `CLUSTER SLOTS` has it.
fn port_if_serving(range: &redis::Value, slot: u16) -> Option<u16> {
    let redis::Value::Array(range) = range else { return None };
    let [redis::Value::Int(first), redis::Value::Int(last), redis::Value::Array(master), ..] = &range[..] else {
        return None;
    };
    let redis::Value::Int(port) = master.get(1)? else { return None };
    (*first..=*last).contains(&i64::from(slot)).then(|| u16::try_from(*port).ok())?
}
