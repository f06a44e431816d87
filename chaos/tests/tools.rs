//! The tools of these tests do what they say: a proxy that breaks nothing and a checker that sees nothing would let
//! everything pass.

use std::time::Duration;

use redis::{AsyncConnectionConfig, RedisResult, aio::MultiplexedConnection};
use roomwire_chaos::{Fault, Fixture, Lines, Plan, Proxy, eventually};
use roomwire_test_servers::RedisServer;
use tokio::time::{Instant, timeout};

const NODE: &str = env!("CARGO_BIN_EXE_chaos-node");
const WHILE: Duration = Duration::from_millis(300);

async fn connect(proxy: &Proxy) -> RedisResult<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(WHILE * 10));
    redis::Client::open(proxy.url())?.get_multiplexed_async_connection_with_config(&patient).await
}

async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    redis::cmd("PING").query_async(connection).await
}

#[tokio::test]
async fn a_proxy_delays_both_ways_and_holds_until_it_is_healed() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(redis.address()).await;
    let mut connection = connect(&proxy).await.expect("connects");
    proxy.inject(Fault::Delay(WHILE / 2), Lines::All);
    let begin = Instant::now();
    ping(&mut connection).await.expect("answers");
    assert!(begin.elapsed() >= WHILE, "{:?}", begin.elapsed());
    proxy.inject(Fault::Hold, Lines::All);
    let mut copy = connection.clone();
    let mut waiting = tokio::spawn(async move { ping(&mut copy).await });
    assert!(timeout(WHILE, &mut waiting).await.is_err(), "it is held");
    proxy.heal();
    waiting.await.expect("no panic").expect("answers");
}

#[tokio::test]
async fn what_was_swallowed_never_comes_and_new_connections_are_whole() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(redis.address()).await;
    for silence in [false, true] {
        let mut connection = connect(&proxy).await.expect("connects");
        if silence {
            proxy.silence(Lines::All);
        } else {
            proxy.inject(Fault::Swallow, Lines::All);
        }
        assert!(timeout(WHILE, ping(&mut connection)).await.is_err(), "it is swallowed");
        proxy.heal();
        assert!(timeout(WHILE, ping(&mut connection)).await.is_err(), "the connection stays half-open");
        let mut another = connect(&proxy).await.expect("connects");
        ping(&mut another).await.expect("answers");
    }
}

#[tokio::test]
async fn connections_are_reset_or_refused_and_come_back() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(redis.address()).await;
    for fault in [Fault::Reset, Fault::Refuse] {
        let mut connection = connect(&proxy).await.expect("connects");
        proxy.inject(fault, Lines::All);
        let broken = async || ping(&mut connection.clone()).await.is_err().then_some(());
        eventually("the connection breaks", WHILE, broken).await;
        assert!(connect(&proxy).await.is_err(), "{fault:?} is also for new ones");
        proxy.heal();
        let again = async || connect(&proxy).await.ok();
        connection = eventually("it is back", WHILE, again).await;
        ping(&mut connection).await.expect("answers");
    }
}

#[tokio::test]
async fn only_the_connections_that_are_meant_are_cut() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(redis.address()).await;
    let mut commands = connect(&proxy).await.expect("connects");
    let mut subscriber = connect(&proxy).await.expect("connects");
    redis::cmd("SSUBSCRIBE")
        .arg("channel")
        .set_no_response(true)
        .exec_async(&mut subscriber)
        .await
        .expect("subscribes");
    let subscribed = async || (redis.ask::<Vec<String>>(&["PUBSUB", "SHARDCHANNELS"]).await.len() == 1).then_some(());
    eventually("it is subscribed", WHILE, subscribed).await;
    proxy.cut(Lines::Subscribers);
    let gone = async || redis.ask::<Vec<String>>(&["PUBSUB", "SHARDCHANNELS"]).await.is_empty().then_some(());
    eventually("the subscriber is gone", WHILE, gone).await;
    ping(&mut commands).await.expect("the other is not");
    proxy.cut(Lines::Commands);
    let broken = async || ping(&mut commands.clone()).await.is_err().then_some(());
    eventually("now it is", WHILE, broken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_differs_is_found() {
    let fixture = Fixture::set(NODE, Plan { clients: 6, ..Plan::default() }).await;
    let id = fixture.crowd[0].belief().id.clone().expect("it is connected");
    assert_eq!(fixture.differences().await, None);
    // The store loses a member of a room.
    fixture.redis().ask::<()>(&["HDEL", "{roomwire:0}:m:/,room-0", &id]).await;
    let told = fixture.differences().await.expect("they differ");
    assert!(told.contains(&format!("{id} is in room-0, which does not list it")), "{told}");
    fixture.crowd[0].leave("room-0").await.expect("leaves");
    fixture.crowd[0].join("room-0").await.expect("joins");
    assert_eq!(fixture.differences().await, None);
    // A client believes what it was not told.
    fixture.crowd[0].belief().rooms.insert("room-99".to_owned());
    let told = fixture.differences().await.expect("they differ");
    assert!(told.contains(r#"["room-99"] only for the clients"#), "{told}");
    fixture.crowd[0].belief().rooms.remove("room-99");
    // The store has a client that no node has.
    fixture.redis().ask::<()>(&["SADD", "{roomwire:0}:cs:/", "ghost"]).await;
    let told = fixture.differences().await.expect("they differ");
    assert!(told.contains("counts 7 clients and lists 6"), "{told}");
}
