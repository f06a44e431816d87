//! Which servers are taken, and what is said about the others.

use std::{process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use roomwire_core::{
    Backplane, BackplaneEvent, Channel, Incarnation, Namespace, NodeId, StateStore, config::RetryConfig,
};
use roomwire_state_redis::{ConnectError, RedisConfig, RedisState};
use roomwire_test_servers::{RedisCluster, RedisServer, Settings, free_port};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

fn once() -> RetryConfig {
    RetryConfig { attempts: 0, ..RetryConfig::default() }
}

async fn refused(config: RedisConfig) -> ConnectError {
    RedisState::connect(&config.retry(once())).await.expect_err("is refused")
}

#[tokio::test]
async fn a_replica_is_refused_with_the_name_of_its_primary() {
    let primary = RedisServer::start().await;
    let port = primary.port().to_string();
    let replica = RedisServer::start_with(Settings::default().with("replicaof", format!("127.0.0.1 {port}"))).await;
    let error = refused(RedisConfig::new(replica.url())).await.to_string();
    assert!(error.contains(&format!("is a replica of 127.0.0.1:{port}; connect to the primary")), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_never_shown() {
    let server = RedisServer::start_with(Settings::default().with("requirepass", "right")).await;
    let url = format!("redis://127.0.0.1:{}", server.port());
    for config in [RedisConfig::new(&url), RedisConfig::new(&url).password("wrong-secret")] {
        let error = RedisState::connect(&config).await.expect_err("is refused");
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("wrong-secret"), "{error}");
    }
    RedisState::connect(&RedisConfig::new(&url).password("right")).await.expect("connects");
}

#[tokio::test]
async fn a_sentinel_is_refused_at_once() {
    let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let file = folder.path().join("sentinel.conf");
    std::fs::write(&file, format!("bind 127.0.0.1\nport {port}\n")).expect("writes");
    let mut sentinel = tokio::process::Command::new("redis-server");
    sentinel.arg(&file).arg("--sentinel").stdout(Stdio::null()).kill_on_drop(true);
    let _running = sentinel.spawn().expect("starts");
    let url = format!("redis://127.0.0.1:{port}");
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    let error = RedisState::connect(&RedisConfig::new(url)).await.expect_err("is refused");
    assert!(matches!(error, ConnectError::Sentinel { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "it is not tried again");
}

#[tokio::test]
async fn a_url_that_trusts_every_certificate_is_refused_at_once_and_not_shown() {
    let url = format!("rediss://:secret@127.0.0.1:{}/#insecure", free_port());
    let began = Instant::now();
    let error = RedisState::connect(&RedisConfig::new(url)).await.expect_err("is refused");
    assert!(matches!(error, ConnectError::Insecure { number: 1 }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "it is not tried again");
    assert!(!error.to_string().contains("secret@"), "{error}");
}

#[tokio::test]
async fn several_servers_that_are_no_cluster_are_refused() {
    let (first, second) = (RedisServer::start().await, RedisServer::start().await);
    let error = refused(RedisConfig::nodes([first.url(), second.url()])).await;
    assert!(matches!(error, ConnectError::NoCluster { servers: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_cluster_is_found_by_any_node_that_answers_and_has_one_database() {
    let cluster = RedisCluster::start(3, 0).await;
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    let urls = [nobody, cluster.urls()[1].clone()];
    let state = RedisState::connect(&RedisConfig::nodes(urls).retry(once())).await.expect("connects");
    assert_eq!(state.client_count(&Namespace::root()).await.expect("reads"), 0);
    let error = refused(RedisConfig::nodes(cluster.urls()).database(1)).await;
    assert!(matches!(error, ConnectError::Database { database: 1 }), "{error:?}");
}

#[tokio::test]
async fn an_old_version_is_refused() {
    let port = pretend("redis_version:6.2.14\r\nrole:master\r\n").await;
    let error = refused(RedisConfig::new(format!("redis://127.0.0.1:{port}"))).await.to_string();
    assert!(error.contains("has version 6.2.14; version 7.0 or newer is needed"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_as_often_as_retry_config_says() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let retry = RetryConfig { attempts: 2, delay: Duration::from_millis(100), ..RetryConfig::default() };
    let began = Instant::now();
    let error = RedisState::connect(&RedisConfig::new(url).retry(retry)).await.expect_err("nobody is there");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(began.elapsed() >= Duration::from_millis(300), "two pauses, the second twice as long");
}

#[tokio::test]
async fn a_server_that_evicts_is_used_and_warned_of() {
    let server = RedisServer::start_with(Settings::default().with("maxmemory-policy", "allkeys-lru")).await;
    let log = Log::default();
    let lines = log.0.clone();
    let guard = tracing::subscriber::set_default(log);
    RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects");
    drop(guard);
    let lines = lines.lock().join("\n");
    assert!(lines.contains("set maxmemory-policy noeviction"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_at_start_is_logged_with_the_address_and_without_the_password() {
    let port = free_port();
    let log = Log::default();
    let lines = log.0.clone();
    let guard = tracing::subscriber::set_default(log);
    let retry = RetryConfig { attempts: 2, delay: Duration::from_millis(100), ..RetryConfig::default() };
    let url = format!("redis://app:hunter2@127.0.0.1:{port}");
    RedisState::connect(&RedisConfig::new(url).retry(retry)).await.expect_err("no server is there");
    drop(guard);
    let lines = lines.lock().clone();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("connecting to Redis") && lines[0].contains(&format!("servers=127.0.0.1:{port}")));
    for (attempt, line) in lines[1..].iter().enumerate() {
        for part in [
            "trying again to reach Redis".to_owned(),
            format!("Redis at 127.0.0.1:{port} cannot be reached: "),
            format!("attempt={} attempts=3", attempt + 1),
            "delay=".to_owned(),
        ] {
            assert!(line.contains(&part), "{part} in {line}");
        }
    }
    assert!(!lines.concat().contains("hunter2"), "{lines:?}");
}

#[tokio::test]
async fn the_server_that_answers_is_logged() {
    let server = RedisServer::start().await;
    let log = Log::default();
    let lines = log.0.clone();
    let guard = tracing::subscriber::set_default(log);
    RedisState::connect(&RedisConfig::new(server.url())).await.expect("connects");
    drop(guard);
    let line = lines.lock().last().cloned().expect("a line");
    let place = format!("server=127.0.0.1:{}", server.port());
    assert!(line.contains("Redis answers") && line.contains(&place) && line.contains("attempt=1"), "{line}");
}

/// A server that says this about itself.
async fn pretend(info: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                // Each command begins with the number of its words; of each word, the length and itself.
                while let Ok(Some(head)) = lines.next_line().await {
                    let words: usize = head.trim_start_matches('*').parse().expect("a number");
                    let mut name = String::new();
                    for word in 0..words {
                        lines.next_line().await.expect("reads");
                        let text = lines.next_line().await.expect("reads").expect("a word");
                        if word == 0 {
                            name = text;
                        }
                    }
                    let answer =
                        if name == "INFO" { format!("${}\r\n{info}\r\n", info.len()) } else { "+OK\r\n".to_owned() };
                    if writer.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Warnings and news, as text.
#[derive(Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target() == "roomwire"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn nodes_in_different_databases_do_not_hear_each_other() {
    let server = RedisServer::start().await;
    let in_database = |number| RedisConfig::new(server.url()).database(number);
    let (zero, one) = (
        RedisState::connect(&in_database(0)).await.expect("connects"),
        RedisState::connect(&in_database(1)).await.expect("connects"),
    );
    let also_one = RedisState::connect(&in_database(1)).await.expect("connects");
    let channel = Channel::Namespace(Namespace::root());
    let process = || Incarnation::begin(NodeId::random()).process();
    let mut heard = one.open(&process()).await.expect("opens");
    let _zero = zero.open(&process()).await.expect("opens");
    let _same = also_one.open(&process()).await.expect("opens");
    one.subscribe(&channel).await.expect("subscribes");
    zero.publish(&channel, Bytes::from_static(b"from database 0")).await.expect("publishes");
    also_one.publish(&channel, Bytes::from_static(b"from database 1")).await.expect("publishes");
    let first = heard.next().await.expect("hears");
    assert_eq!(first, BackplaneEvent::Message(Bytes::from_static(b"from database 1")));
}
