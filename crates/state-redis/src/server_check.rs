//! Checks the server's version and mode, once at start.

use std::collections::HashMap;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, RedisError};
use roomwire_core::Escaped;
use tokio::time::timeout;

use crate::{
    ConnectError, RedisConfig,
    keys::{Keys, Partition},
    refusal::refusal,
    rights,
    shard::address_of,
    tls_mismatch,
};

/// The oldest major version with sharded pub/sub.
const OLDEST: u32 = 7;

/// Finds a server that answers, moves it to the front and returns whether it is part of a Redis Cluster.
pub(crate) async fn find(
    config: &RedisConfig,
    mut seeds: Vec<ConnectionInfo>,
) -> Result<(Vec<ConnectionInfo>, bool), ConnectError> {
    let retry = &config.retry;
    let pauses = ExponentialBuilder::default()
        .with_min_delay(retry.delay.max(std::time::Duration::from_millis(1)))
        .with_max_delay(retry.max_delay.max(std::time::Duration::from_millis(1)))
        .with_max_times(retry.attempts as usize)
        .with_jitter()
        .build();
    let servers = seeds.iter().map(|seed| address_of(seed).to_string()).collect::<Vec<_>>().join(", ");
    tracing::info!(target: "roomwire", servers = %Escaped(&servers), "connecting to Redis");
    let (mut attempt, attempts) = (1, retry.attempts + 1);
    let tries = (|| try_all(config, &seeds))
        .retry(pauses)
        .when(|error| matches!(error, ConnectError::Unreachable { .. }))
        .notify(|error, pause| {
            tracing::warn!(
                target: "roomwire", error = %Escaped(&error), attempt, attempts, delay = ?pause, "trying again to reach Redis"
            );
            attempt += 1;
        });
    let found = timeout(retry.timeout, tries).await.unwrap_or_else(|_| {
        let server = address_of(&seeds[0]).to_string();
        Err(ConnectError::Unreachable { server, reason: "no answer within retryConfig.timeout".to_owned() })
    });
    let (index, clustered) = found?;
    seeds.swap(0, index);
    let mode = if clustered { "cluster" } else { "standalone" };
    tracing::info!(target: "roomwire", server = %Escaped(address_of(&seeds[0])), mode, attempt, "Redis answers");
    if !clustered {
        seeds.truncate(1);
    }
    Ok((seeds, clustered))
}

async fn try_all(config: &RedisConfig, seeds: &[ConnectionInfo]) -> Result<(usize, bool), ConnectError> {
    let mut problem = ConnectError::NoUrl;
    for (index, seed) in seeds.iter().enumerate() {
        match check(config, seed, seeds.len()).await {
            Ok(clustered) => return Ok((index, clustered)),
            Err(error @ ConnectError::Unreachable { .. }) => {
                if let Some(advice) = tls_mismatch::advice(seed, config.connect_timeout).await {
                    return Err(ConnectError::Tls { server: address_of(seed).to_string(), advice });
                }
                problem = error;
            }
            Err(error) => return Err(error),
        }
    }
    Err(problem)
}

async fn check(config: &RedisConfig, seed: &ConnectionInfo, servers: usize) -> Result<bool, ConnectError> {
    let server = address_of(seed).to_string();
    let failed = |error: RedisError| match error.kind() {
        ErrorKind::AuthenticationFailed => ConnectError::Refused { server: server.clone(), reason: error.to_string() },
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => {
            ConnectError::Refused { server: server.clone(), reason: error.to_string() }
        }
        _ => ConnectError::Unreachable { server: server.clone(), reason: error.to_string() },
    };
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(config.connect_timeout))
        .set_response_timeout(Some(config.connect_timeout));
    // These commands belong to no database; a cluster would refuse to select one before its mode is known.
    let anywhere = seed.clone().set_redis_settings(seed.redis_settings().clone().set_db(0));
    let client = Client::open(anywhere).map_err(failed)?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&settings).await.map_err(failed)?;
    let text: String = match redis::cmd("INFO").query_async(&mut connection).await {
        Ok(text) => text,
        Err(error) => match refusal("INFO", None, &error) {
            Some(refusal) if !matches!(refusal.code.as_str(), "NOAUTH" | "WRONGPASS") => {
                // The mode is unknown; other missing permissions are reported nevertheless.
                let mut refused = vec![refusal.words];
                let keys = Keys::new(&config.prefix, 1);
                let found = rights::try_all(seed, config.connect_timeout, &keys, &[Partition::LEASES]).await;
                refused.extend(found.refused);
                if refused.len() == 1 {
                    refused.push(refusal.meaning.to_owned());
                }
                return Err(ConnectError::Rights { server, refused });
            }
            _ => return Err(failed(error)),
        },
    };
    let info = Info::read(&text);
    if info.get("redis_mode") == "sentinel" {
        return Err(ConnectError::Sentinel { server });
    }
    let clustered = info.get("cluster_enabled") == "1";

    let version = info.get("redis_version");
    if version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major < OLDEST) {
        return Err(ConnectError::Version { server, version: version.to_owned() });
    }
    let database = seed.redis_settings().db();
    match (clustered, info.get("role")) {
        (false, "slave") => {
            let primary = format!("{}:{}", info.get("master_host"), info.get("master_port"));
            return Err(ConnectError::Replica { server, primary });
        }
        (true, _) if database != 0 => return Err(ConnectError::Database { database }),
        (false, _) if servers > 1 => return Err(ConnectError::NoCluster { server, servers }),
        _ => {}
    }
    let policy = info.get("maxmemory_policy");
    if !policy.is_empty() && policy != "noeviction" {
        tracing::warn!(
            target: "roomwire",
            server = %Escaped(&server), policy = %Escaped(&policy),
            "Redis removes keys by itself when its memory is full, which breaks state: set maxmemory-policy noeviction"
        );
    }
    Ok(clustered)
}

/// The response to `INFO`.
struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    fn read(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.split_once(':')).collect())
    }

    /// Empty if the server does not report it.
    fn get(&self, field: &str) -> &'a str {
        self.0.get(field).copied().unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    #[test]
    fn fields_are_read_from_what_a_server_says() {
        let info = Info::read("# Server\r\nredis_version:7.0.15\r\n\r\nrole:master\r\n");
        assert_eq!((info.get("redis_version"), info.get("role"), info.get("x")), ("7.0.15", "master", ""));
    }
}
