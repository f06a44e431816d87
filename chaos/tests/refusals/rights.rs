//! Rights that are taken away while a service runs.

use roomwire_service::{ErrorCode, NewRoom};
use roomwire_test_servers::RedisServer;

use crate::fixture::{Fixture, documented_rules, eventually, set_user};

/// What no operation of these tests needs: it is for a new node, for one that was cut off, or for a Redis Cluster, or
/// only a sign of life, and then a refusal is one.
const NOT_USED: [&str; 4] = ["hexists", "hsetnx", "ping", "sismember"];
/// What only the clean-up after a lost node needs.
const CLEANS_UP: [&str; 4] = ["spop", "srandmember", "zrem", "zscore"];
/// What only the comparison after a gap needs.
const COMPARES: [&str; 1] = ["zscan"];
/// What only the search for the rooms of a lost list needs.
const SEARCHES: [&str; 1] = ["scan"];

fn assert_no_outage(what: &str, failed: &[(&'static str, ErrorCode)]) {
    assert!(!failed.iter().any(|(_, code)| *code == ErrorCode::StateUnavailable), "{what}: {failed:?}");
}

#[tokio::test]
async fn each_command_that_is_taken_away_is_refused_and_told_and_never_called_an_outage() {
    let server = RedisServer::start().await;
    let rules = documented_rules();
    let mut tried = 0;
    for command in rules.iter().filter_map(|rule| rule.strip_prefix('+')) {
        let fixture = Fixture::on(&server).await;
        set_user(&server, &[&format!("-{command}")]).await;
        // So that scripts are brought again, too.
        server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
        let failed = fixture.everything().await;
        println!("-{command}: {failed:?}");
        assert_no_outage(command, &failed);
        if CLEANS_UP.contains(&command) {
            fixture.lose(fixture.another_state().await).await;
        }
        if COMPARES.contains(&command) {
            server.ask::<()>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        }
        if SEARCHES.contains(&command) {
            // Nodes do not put a room without members back.
            fixture.service.create_room("kept", NewRoom::default()).await.expect("creates");
            server.ask::<()>(&["DEL", "{roomwire:0}:rs:/"]).await;
        }
        if !NOT_USED.contains(&command) {
            fixture.is_told(command).await;
            tried += 1;
        }
        fixture.end(&server).await;
    }
    println!("{tried} commands were taken away in turn");
}

/// Connections that are open stay open when a password changes; those that are opened later are refused.
#[tokio::test]
async fn a_password_that_is_changed_is_told_and_never_called_an_outage() {
    let server = RedisServer::start().await;
    let fixture = Fixture::on(&server).await;
    set_user(&server, &["resetpass", ">other"]).await;
    server.ask::<()>(&["CLIENT", "KILL", "USER", "chat"]).await;
    let refused = fixture.is_told("Redis refuses the user or the password").await;
    assert!(refused.reason.contains("password"), "{refused:?}");
    let failed = fixture.everything().await;
    println!("{failed:?}");
    assert_no_outage("password", &failed);
    assert!(failed.contains(&("to room", ErrorCode::StateRefused)), "{failed:?}");
    set_user(&server, &["resetpass", ">secret"]).await;
    fixture.messages_cross().await;
    fixture.end(&server).await;
}

/// What the store refused to be told is not tried for ever; the comparison with the store finds it.
#[tokio::test]
async fn what_a_refused_leave_and_disconnect_left_behind_is_gone_soon_after_the_right_is_given_back() {
    let server = RedisServer::start().await;
    let fixture = Fixture::on(&server).await;
    let (leaver, goer) = (fixture.newcomer("leaver").await, fixture.newcomer("goer").await);
    for client in [&leaver, &goer] {
        fixture.service.join_room(client.handle(), "r").await.expect("joins");
    }
    set_user(&server, &["-hdel", "-del"]).await;
    fixture.service.leave_room(leaver.handle(), "r").await.expect("leaves here");
    goer.disconnect();
    fixture.is_told("hdel").await;
    assert_eq!(fixture.service.member_count("r").await.expect("reads"), 4, "the store was not told");
    set_user(&server, &["+hdel", "+del"]).await;
    eventually("the room has its two members", async || fixture.service.member_count("r").await.ok() == Some(2)).await;
    eventually("the client is gone", async || fixture.service.client_count().await.ok() == Some(3)).await;
    fixture.end(&server).await;
}

#[tokio::test]
async fn each_kind_of_channel_that_is_taken_away_is_refused_and_told_and_heard_again_when_it_is_given_back() {
    let kinds = ["room", "namespace", "node", "cluster", "probe"];
    let patterns: Vec<_> = kinds.iter().map(|kind| format!("&{{roomwire:*}}:{kind}:*")).collect();
    let server = RedisServer::start().await;
    for (index, kind) in kinds.into_iter().enumerate() {
        let fixture = Fixture::on(&server).await;
        let others = patterns.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, pattern)| &**pattern);
        let rules: Vec<&str> = ["resetchannels"].into_iter().chain(others).collect();
        // The server ends connections that are subscribed to what they may not hear any more.
        set_user(&server, &rules).await;
        let failed = fixture.everything().await;
        println!("without {kind}: {failed:?}");
        assert_no_outage(kind, &failed);
        fixture.is_told(&format!(":{kind}:")).await;
        set_user(&server, &["resetchannels", "&*"]).await;
        fixture.messages_cross().await;
        eventually("nothing is missed", async || fixture.service.health().backplane.available).await;
        fixture.end(&server).await;
    }
}
