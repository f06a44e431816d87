//! Moving slots from one master to another while the cluster is in use.

use redis::{RedisResult, aio::MultiplexedConnection};

use crate::RedisCluster;

/// How many keys go over at once.
const BATCH: usize = 100;

impl RedisCluster {
    /// Moves slots to another master, one after the other, as an operator does it: with all their keys, and in the
    /// order in which a server that dies meanwhile leaves no slot in doubt. A slot that is there already stays.
    ///
    /// # Panics
    /// If a server refuses, or if the servers do not agree on the owner of a slot.
    pub async fn move_slots(&self, slots: impl IntoIterator<Item = u16>, to: usize) {
        for slot in slots {
            let from = self.owner(slot).await.unwrap_or_else(|| panic!("nobody knows who serves slot {slot}"));
            if from != to
                && let Err(error) = self.move_slot(slot, from, to).await
            {
                panic!("slot {slot} cannot be moved from server {from} to server {to}: {error}");
            }
        }
    }

    async fn move_slot(&self, slot: u16, from: usize, to: usize) -> RedisResult<()> {
        let mut source = self.servers()[from].connect().await?;
        let mut target = self.servers()[to].connect().await?;
        let source_id: String = cluster(&["MYID"]).query_async(&mut source).await?;
        let target_id: String = cluster(&["MYID"]).query_async(&mut target).await?;
        let slot = slot.to_string();
        cluster(&["SETSLOT", &slot, "IMPORTING", &source_id]).exec_async(&mut target).await?;
        cluster(&["SETSLOT", &slot, "MIGRATING", &target_id]).exec_async(&mut source).await?;
        while self.move_keys(&slot, &mut source, to).await? > 0 {}
        cluster(&["SETSLOT", &slot, "NODE", &target_id]).exec_async(&mut target).await?;
        cluster(&["SETSLOT", &slot, "NODE", &target_id]).exec_async(&mut source).await?;
        for (index, server) in self.servers().iter().enumerate() {
            if index != from && index != to {
                // Only those that are masters take it; the others hear of it from their masters.
                let _ = server.try_ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
            }
        }
        Ok(())
    }

    /// Moves some of a slot's keys; returns how many there were.
    async fn move_keys(&self, slot: &str, source: &mut MultiplexedConnection, to: usize) -> RedisResult<usize> {
        let keys: Vec<Vec<u8>> = cluster(&["GETKEYSINSLOT", slot, &BATCH.to_string()]).query_async(source).await?;
        if !keys.is_empty() {
            let mut command = redis::cmd("MIGRATE");
            command.arg("127.0.0.1").arg(self.servers()[to].port()).arg("").arg(0).arg(5000).arg("KEYS").arg(&keys);
            command.exec_async(source).await?;
        }
        Ok(keys.len())
    }
}

fn cluster(arguments: &[&str]) -> redis::Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(arguments);
    command
}
