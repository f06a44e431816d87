//! Checks the permissions of the Redis user once at start, and reports all missing ones together.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, ProtocolVersion, RedisError, RedisResult,
    Value, aio::MultiplexedConnection,
};
use roomwire_core::{Escaped, MessageLimit, Refusal};
use tokio::time::timeout;

use crate::{
    ConnectError,
    keys::{Keys, Partition},
    output_buffer::{OutputBuffer, SETTING, message_limit},
    refusal::{refusal, refusal_in_script},
    router::Router,
    script::CHECK,
    shard::address_of,
};

/// Checks every server. An unreachable server is skipped: the first operation there reports it.
///
/// Returns the limit of messages between nodes, which is read at the same time.
///
/// # Errors
/// [`ConnectError::Rights`] for the first server that refuses a command.
pub(crate) async fn check(router: &Router) -> Result<Option<MessageLimit>, ConnectError> {
    let topology = router.topology().borrow().clone();
    let servers = topology.servers();
    let tried = servers.iter().map(|server| async {
        let partitions = router.keys.partitions();
        let here: Vec<_> =
            partitions.filter(|partition| topology.owner(router.keys.slot(*partition)) == Some(server)).collect();
        let server = router.connection_to(server);
        (address_of(&server).to_string(), try_all(&server, router.connect_timeout(), &router.keys, &here).await)
    });
    let mut buffers = Vec::new();
    for (server, found) in join_all(tried).await {
        if !found.refused.is_empty() {
            return Err(ConnectError::Rights { server, refused: found.refused });
        }
        buffers.push((server, found.buffer));
    }
    Ok(message_limit(&buffers))
}

/// Findings on one server.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// As lines of text for people.
    pub(crate) refused: Vec<String>,
    buffer: Option<OutputBuffer>,
}

fn without_partition(words: &str) -> String {
    match (words.find('{'), words.find('}')) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &words[..begin], &words[end + 1..]),
        _ => words.to_owned(),
    }
}

/// Checks one server. Returns no findings if it is unreachable.
pub(crate) async fn try_all(
    server: &ConnectionInfo,
    patience: Duration,
    keys: &Keys,
    partitions: &[Partition],
) -> Found {
    let tried = async {
        let mut trial = Trial { connection: connect(server, patience).await?, refused: Vec::new() };
        trial.run(keys, partitions).await?;
        let buffer = trial.output_buffer().await;
        Ok::<_, RedisError>(Found { refused: lines(trial.refused), buffer })
    };
    match timeout(patience * 2, tried).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::debug!(target: "roomwire", server = %Escaped(address_of(server)), error = %Escaped(&error), "rights cannot be tried");
            Found::default()
        }
        Err(_) => Found::default(),
    }
}

async fn connect(server: &ConnectionInfo, patience: Duration) -> RedisResult<MultiplexedConnection> {
    // With this protocol version a subscribed connection accepts other commands.
    let redis = server.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let settings =
        AsyncConnectionConfig::new().set_connection_timeout(Some(patience)).set_response_timeout(Some(patience));
    Client::open(server.clone().set_redis_settings(redis))?
        .get_multiplexed_async_connection_with_config(&settings)
        .await
}

struct Trial {
    connection: MultiplexedConnection,
    refused: Vec<Refusal>,
}

impl Trial {
    async fn run(&mut self, keys: &Keys, partitions: &[Partition]) -> RedisResult<()> {
        self.ask("PING", None, &redis::cmd("PING")).await?;
        if !keys.is_single() {
            self.ask("CLUSTER SLOTS", None, redis::cmd("CLUSTER").arg("SLOTS")).await?;
        }
        for partition in partitions {
            let channels = keys.check_channels(*partition);
            let answer = self
                .ask("EVAL", Some(keys.of(*partition)[0]), CHECK.by_source(keys, *partition).arg(&channels))
                .await?;
            self.note_script(answer);
        }
        let Some(partition) = partitions.first() else { return Ok(()) };
        let channels = keys.check_channels(*partition);
        self.ask("EVALSHA", Some(keys.of(*partition)[0]), CHECK.by_hash(keys, *partition).arg(&channels)).await?;
        for channel in &channels {
            for command in ["SSUBSCRIBE", "SUNSUBSCRIBE"] {
                self.ask(command, Some(channel), redis::cmd(command).arg(channel)).await?;
            }
            self.ask("SPUBLISH", Some(channel), redis::cmd("SPUBLISH").arg(channel).arg("")).await?;
        }
        Ok(())
    }

    /// The response to a command. `None` if it was refused.
    async fn ask(&mut self, what: &'static str, about: Option<&str>, command: &Cmd) -> RedisResult<Option<Value>> {
        match self.connection.send_packed_command(command).await.and_then(Value::extract_error) {
            Ok(value) => Ok(Some(value)),
            Err(error) => match refusal(what, about, &error) {
                // EVALSHA fails without a script where EVAL was refused.
                Some(refusal) => {
                    self.refused.push(refusal);
                    Ok(None)
                }
                None if error.code() == Some("NOSCRIPT") => Ok(None),
                None => Err(error),
            },
        }
    }

    /// Not required, and not permitted on many servers.
    async fn output_buffer(&mut self) -> Option<OutputBuffer> {
        let answer = self.connection.send_packed_command(redis::cmd("CONFIG").arg("GET").arg(SETTING)).await;
        OutputBuffer::read(answer.and_then(Value::extract_error).ok()?)
    }

    fn note_script(&mut self, answer: Option<Value>) {
        let Some(Value::Array(items)) = answer else { return };
        let Some(list) = items.into_iter().nth(1) else { return };
        let refused: Vec<(String, String, String)> = Vec::from_redis_value(list).unwrap_or_default();
        self.refused.extend(refused.iter().map(|(command, name, words)| refusal_in_script(command, name, words)));
    }
}

/// Each finding once, though partitions repeat it, with its meaning.
fn lines(refused: Vec<Refusal>) -> Vec<String> {
    let mut known = HashSet::new();
    let (mut lines, mut meanings) = (Vec::new(), Vec::new());
    for Refusal { words, meaning, .. } in refused {
        if known.insert(without_partition(&words)) {
            lines.push(words);
        }
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    lines.extend(meanings.into_iter().map(str::to_owned));
    lines
}
