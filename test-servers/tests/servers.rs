//! Servers come fast, do what they are told, and are gone afterwards.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use redis::RedisResult;
use roomwire_test_servers::{RedisCluster, RedisServer, Settings, ShiftedClock};
use tokio::time::{Instant, sleep, timeout};

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_server_answers_at_once_and_nothing_is_left_of_it() {
    let begin = Instant::now();
    let server = RedisServer::start().await;
    println!("one server: {:?}", begin.elapsed());
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    assert_eq!(server.ask::<String>(&["PING"]).await, "PONG");
    assert!(is_there(pid) && folder.exists());
    drop(server);
    assert!(!is_there(pid) && !folder.exists());
}

#[tokio::test]
async fn a_stopped_server_is_silent_until_it_goes_on() {
    let server = RedisServer::start().await;
    server.stop_answering();
    let ask = server.try_ask::<String>(&["PING"]);
    assert!(timeout(Duration::from_millis(100), ask).await.is_err(), "it is stopped");
    server.go_on();
    assert_eq!(server.ask::<String>(&["PING"]).await, "PONG");
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_saved_or_empty() {
    let mut server = RedisServer::start().await;
    let port = server.port();
    server.ask::<()>(&["SET", "saved", "1"]).await;
    server.save().await;
    server.ask::<()>(&["SET", "not saved", "1"]).await;
    server.kill();
    assert!(server.try_ask::<String>(&["PING"]).await.is_err());
    server.start_again().await;
    assert_eq!(server.port(), port);
    assert_eq!(server.ask::<Vec<String>>(&["KEYS", "*"]).await, ["saved"]);
    server.start_again_empty().await;
    assert_eq!(server.ask::<u64>(&["DBSIZE"]).await, 0);
}

#[tokio::test]
async fn a_server_takes_settings_also_while_it_runs() {
    let server = RedisServer::start_with(Settings::default().with("requirepass", "open sesame")).await;
    server.set("maxmemory", "123456789").await;
    assert_eq!(server.ask::<Vec<String>>(&["CONFIG", "GET", "maxmemory"]).await, ["maxmemory", "123456789"]);
    server.flush_all().await;
}

#[tokio::test]
async fn a_cluster_serves_all_slots_and_a_replica_takes_over() {
    let begin = Instant::now();
    let mut cluster = RedisCluster::start(3, 1).await;
    println!("a cluster with replicas: {:?}", begin.elapsed());
    assert_eq!(cluster.urls().len(), 6);
    assert_eq!(cluster.owner(0).await, Some(0));
    assert_eq!(cluster.owner(16_383).await, Some(2));
    cluster.servers()[0].ask::<()>(&["SET", "{06S}kept", "1"]).await;
    cluster.servers()[0].ask::<()>(&["WAIT", "1", "1000"]).await;
    cluster.kill_master(0);
    let begin = Instant::now();
    while cluster.owner(0).await != Some(3) {
        assert!(begin.elapsed() < Duration::from_secs(15), "no replica takes over");
        sleep(Duration::from_millis(20)).await;
    }
    println!("a failover: {:?}", begin.elapsed());
    assert_eq!(cluster.servers()[3].ask::<String>(&["GET", "{06S}kept"]).await, "1");
}

#[tokio::test]
async fn slots_move_with_their_keys() {
    let begin = Instant::now();
    let cluster = RedisCluster::start(3, 0).await;
    println!("a cluster: {:?}", begin.elapsed());
    let slot: u16 = cluster.servers()[0].ask(&["CLUSTER", "KEYSLOT", "{06S}"]).await;
    assert_eq!(cluster.owner(slot).await, Some(0));
    for key in 0..250 {
        cluster.servers()[0].ask::<()>(&["SET", &format!("{{06S}}{key}"), "1"]).await;
    }
    cluster.move_slots([slot], 1).await;
    assert_eq!(cluster.owner(slot).await, Some(1));
    assert_eq!(cluster.servers()[1].ask::<usize>(&["DBSIZE"]).await, 250);
    let moved: RedisResult<String> = cluster.servers()[0].try_ask(&["GET", "{06S}1"]).await;
    assert_eq!(moved.expect_err("it is not there any more").code(), Some("MOVED"));
    cluster.is_whole().await;
}

#[tokio::test]
async fn nothing_is_left_of_a_test_that_is_killed() {
    const VICTIM: &str = "ROOMWIRE_TEST_VICTIM";
    if let Some(told) = env::var_os(VICTIM) {
        let server = RedisServer::start().await;
        fs::write(told, format!("{} {}", server.pid(), server.folder().display())).expect("writes");
        return std::future::pending().await;
    }
    let told = tempfile::NamedTempFile::new().expect("a file");
    let mut victim = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "nothing_is_left_of_a_test_that_is_killed"])
        .env(VICTIM, told.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    let (pid, folder) = eventually(|| {
        let told = fs::read_to_string(told.path()).expect("reads");
        let (pid, folder) = told.split_once(' ')?;
        Some((pid.parse().expect("a number"), folder.to_owned()))
    })
    .await;
    assert!(is_there(pid) && Path::new(&folder).exists());
    victim.kill().expect("killed");
    victim.wait().expect("ended");
    eventually(|| (!is_there(pid) && !Path::new(&folder).exists()).then_some(())).await;
}

async fn eventually<T>(mut there: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(there) = there() {
            return there;
        }
        assert!(Instant::now() < deadline, "it does not come");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_with_a_shifted_clock_tells_another_time() {
    let clock = ShiftedClock::new();
    let settings =
        clock.variables().into_iter().fold(Settings::default(), |all, (name, value)| all.with_variable(name, value));
    let server = RedisServer::start_with(settings).await;
    let time = async || server.ask::<(u64, u64)>(&["TIME"]).await.0;
    let before = time().await;
    clock.set_ahead(Duration::from_secs(3600));
    let ahead = time().await;
    assert!((3600..3610).contains(&(ahead - before)), "{before} {ahead}");
    clock.set_ahead(Duration::ZERO);
    assert!(time().await - before < 10);
}
