//! The contract that every backend keeps, kept on one Redis server and on a Redis Cluster of three, by a user with no
//! right beyond those that the documentation names.

#[path = "../support/least_user.rs"]
mod least_user;
mod nodes;

mod server {
    use crate::nodes::RedisNodes;

    async fn cluster() -> RedisNodes {
        RedisNodes::on_a_server().await
    }

    roomwire_core::contract_tests!(cluster);
}

mod redis_cluster {
    use crate::nodes::RedisNodes;

    async fn cluster() -> RedisNodes {
        RedisNodes::on_a_cluster().await
    }

    roomwire_core::contract_tests!(cluster);
}
