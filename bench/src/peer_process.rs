//! A peer in a process of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use roomwire_test_servers::RedisServer;

use crate::{child::Child, peer::Peer, usage::Usage};

/// Time for a server to return memory and finish what no client waits for.
const SETTLING: Duration = Duration::from_millis(1500);

/// A server that listens. It reports its CPU time and memory as the kernel counts them, and ends when it is dropped.
pub(crate) struct PeerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl PeerProcess {
    /// Starts one node of a peer and waits until it listens.
    pub(crate) async fn start(peer: Peer, redis: Option<&RedisServer>) -> anyhow::Result<Self> {
        let redis = redis.map(|redis| ["--redis".to_owned(), redis.url()]);
        let mut child = match peer.script() {
            Some(script) => {
                let mut command = tokio::process::Command::new("node");
                command.arg(node_folder().join(script)).args(redis.iter().flatten()).env("NODE_ENV", "production");
                Child::start(command)?
            }
            None => Child::this_program(["serve".to_owned(), peer.argument()].iter().chain(redis.iter().flatten()))?,
        };
        let address = child.next_line().await?.parse().context("a server printed no address")?;
        Ok(Self { child, address })
    }

    pub(crate) async fn usage(&mut self) -> anyhow::Result<Usage> {
        Ok(serde_json::from_str(&self.child.ask().await?)?)
    }

    pub(crate) async fn settled_usage(&mut self) -> anyhow::Result<Usage> {
        tokio::time::sleep(SETTLING).await;
        self.usage().await
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.child.end().await.map(drop)
    }
}

/// Why a peer cannot be measured here; `None` if it can.
pub(crate) fn missing(peer: Peer) -> Option<String> {
    if peer.uses_redis() && !starts("redis-server") {
        return Some("redis-server is not installed; on Debian: apt-get install redis-server".to_owned());
    }
    peer.script()?;
    if !starts("node") {
        return Some("node is not installed; on Debian: apt-get install nodejs".to_owned());
    }
    let folder = node_folder();
    let installed = folder.join("node_modules/socket.io/package.json").is_file();
    (!installed).then(|| format!("its packages are not installed: npm ci --prefix {}", folder.display()))
}

fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn node_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node")
}
