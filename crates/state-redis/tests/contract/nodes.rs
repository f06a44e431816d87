//! Nodes on servers that were started for one test.

use std::{sync::Arc, time::Duration};

use roomwire_core::contract_tests::{Cluster, Node};
use roomwire_state_redis::{RedisConfig, RedisState};
use roomwire_test_servers::{RedisCluster, RedisServer};

use crate::least_user;

/// Handles on one Redis, as processes of their own would have them.
pub(crate) struct RedisNodes {
    config: RedisConfig,
    _servers: Servers,
}

/// Kept until the test ends.
#[expect(dead_code, reason = "held for their drop, which ends the processes")]
enum Servers {
    One(RedisServer),
    Cluster(RedisCluster),
}

impl RedisNodes {
    pub(crate) async fn on_a_server() -> Self {
        let server = RedisServer::start().await;
        least_user::create(&server, &least_user::rules()).await;
        Self { config: config(RedisConfig::new(server.url())), _servers: Servers::One(server) }
    }

    pub(crate) async fn on_a_cluster() -> Self {
        let cluster = RedisCluster::start(3, 0).await;
        let mut rules = least_user::rules();
        rules.extend(["+cluster|slots".to_owned(), "+asking".to_owned()]);
        for server in cluster.servers() {
            least_user::create(server, &rules).await;
        }
        Self { config: config(RedisConfig::nodes(cluster.urls())), _servers: Servers::Cluster(cluster) }
    }
}

/// The properties are about what happens, not about how fast: a busy machine has time.
fn config(config: RedisConfig) -> RedisConfig {
    least_user::sign_in(config).timeout(Duration::from_secs(10)).connect_timeout(Duration::from_secs(10))
}

#[async_trait::async_trait]
impl Cluster for RedisNodes {
    async fn node(&self) -> Node {
        Node::of(Arc::new(RedisState::connect(&self.config).await.expect("connects")))
    }

    fn short_lease(&self) -> Duration {
        Duration::from_millis(400)
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }
}
