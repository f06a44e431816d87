//! A Redis user without a right that is needed is refused at start, with the name of everything that is missing.

#[path = "support/least_user.rs"]
mod least_user;

use std::{fs, time::Duration};

use roomwire_state_redis::{ConnectError, RedisConfig, RedisState};
use roomwire_test_servers::{RedisCluster, RedisServer, Settings};
use tokio::time::Instant;

/// How long a refusal may take: it is no outage that is waited for.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn connect(server: &RedisServer) -> Result<RedisState, ConnectError> {
    RedisState::connect(&least_user::sign_in(RedisConfig::new(server.url()))).await
}

/// The text with which the user is refused.
async fn refused(server: &RedisServer, rules: &[String]) -> String {
    least_user::create(server, rules).await;
    let began = Instant::now();
    let error = connect(server).await.err().unwrap_or_else(|| panic!("{rules:?} are enough"));
    assert!(matches!(error, ConnectError::Rights { .. }), "{error}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    error.to_string()
}

#[tokio::test]
async fn the_documented_rights_are_enough_and_each_of_them_is_needed() {
    let server = RedisServer::start().await;
    let rules = least_user::rules();
    least_user::create(&server, &rules).await;
    connect(&server).await.expect("nothing is missing");
    let mut tried = 0;
    for rule in rules.iter().filter(|rule| rule.starts_with('+')) {
        let others: Vec<_> = rules.iter().filter(|other| *other != rule).cloned().collect();
        let text = refused(&server, &others).await;
        let command = rule.trim_start_matches('+').to_uppercase();
        assert!(text.to_uppercase().contains(&command), "{command} is missing: {text}");
        assert!(text.contains("the Redis user lacks a right, see `Rights` in docs/scaling.md"), "{text}");
        tried += 1;
    }
    println!("{tried} commands were missing in turn, each was named");
    let left: Vec<String> = server.ask(&["KEYS", "*"]).await;
    assert!(left.iter().all(|key| key == "{roomwire:0}:check:hash"), "the trial leaves nothing behind: {left:?}");
}

#[tokio::test]
async fn each_kind_of_channel_that_is_missing_is_named() {
    let server = RedisServer::start().await;
    let kinds = ["room", "namespace", "node", "cluster", "probe"];
    let with_channels = |kinds: &[&str]| -> Vec<String> {
        let rules = least_user::rules().into_iter().filter(|rule| !rule.starts_with('&'));
        rules.chain(kinds.iter().map(|kind| format!("&{{roomwire:*}}:{kind}:*"))).collect()
    };
    least_user::create(&server, &with_channels(&kinds)).await;
    connect(&server).await.expect("nothing is missing");
    for kind in kinds {
        let others: Vec<_> = kinds.into_iter().filter(|other| *other != kind).collect();
        let text = refused(&server, &with_channels(&others)).await;
        for command in ["SSUBSCRIBE", "SPUBLISH"] {
            assert!(text.contains(&format!("({command} {{roomwire:0}}:{kind}:check)")), "{kind}: {text}");
        }
        let is_named = |other: &&str| text.contains(&format!(":{other}:check"));
        assert_eq!(others.iter().filter(|other| is_named(other)).count(), 0, "nothing else is missing: {text}");
    }
    let text = refused(&server, &with_channels(&[])).await;
    for kind in kinds {
        assert!(text.contains(&format!("(SSUBSCRIBE {{roomwire:0}}:{kind}:check)")), "all are named: {text}");
    }
}

#[tokio::test]
async fn each_kind_of_key_that_may_not_be_read_or_written_is_named() {
    let server = RedisServer::start().await;
    let kinds = [
        "c:",
        "check:",
        "cs:",
        "dead",
        "del:",
        "gone:",
        "l:",
        "lease",
        "incarnations",
        "m:",
        "n:",
        "nc:",
        "over",
        "r:",
        "reaped",
        "rs:",
        "ru",
        "rv",
        "st",
        "us:",
    ];
    let with_keys = |kinds: &[String]| -> Vec<String> {
        let rules = least_user::rules().into_iter().filter(|rule| !rule.starts_with('~'));
        rules.chain(["~{roomwire:*}".to_owned()]).chain(kinds.iter().cloned()).collect()
    };
    let all: Vec<_> = kinds.iter().map(|kind| format!("~{{roomwire:*}}:{kind}*")).collect();
    least_user::create(&server, &with_keys(&all)).await;
    connect(&server).await.expect("nothing is missing");
    for (index, kind) in kinds.iter().enumerate() {
        // "incarnations" is also a key that every script names.
        for only in ["%R~", "%W~"] {
            let mut some = all.clone();
            some[index] = format!("{only}{{roomwire:*}}:{kind}*");
            // Another pattern must not cover it.
            let text = refused(&server, &with_keys(&some)).await;
            let is_named = text.contains(&format!("{{roomwire:0}}:{kind}")) || text.contains("(EVAL");
            assert!(is_named, "{only} {kind}: {text}");
        }
    }
}

#[tokio::test]
async fn everything_that_is_missing_is_named_together() {
    let server = RedisServer::start().await;
    let gone = ["+info", "+hset", "+zadd", "+ssubscribe"];
    let rules: Vec<_> = least_user::rules().into_iter().filter(|rule| !gone.contains(&rule.as_str())).collect();
    let text = refused(&server, &rules).await;
    for command in ["'info'", "(HSET ", "(ZADD ", "(SSUBSCRIBE "] {
        assert!(text.contains(command), "{command}: {text}");
    }
}

#[tokio::test]
async fn a_command_that_is_renamed_is_no_missing_right_and_is_named() {
    for command in ["SPUBLISH", "EVAL", "INFO", "HSCAN"] {
        let folder = tempfile::tempdir().expect("makes a folder");
        let file = folder.path().join("renamed.conf");
        fs::write(&file, format!("rename-command {command} \"\"\n")).expect("writes");
        let settings = Settings::default().with("include", file.display().to_string());
        let server = RedisServer::start_with(settings).await;
        let error = RedisState::connect(&RedisConfig::new(server.url())).await.expect_err("is refused");
        assert!(matches!(error, ConnectError::Rights { .. }), "{error}");
        let text = error.to_string();
        assert!(text.to_uppercase().contains(command), "{command}: {text}");
        assert!(text.contains("renamed or disabled"), "{command}: {text}");
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_named_at_start() {
    let server = RedisServer::start().await;
    for kind in ["dead", "incarnations", "reaped", "rv", "st", "lease", "over", "ru"] {
        let key = format!("{{roomwire:0}}:{kind}");
        server.ask::<()>(&["SET", &key, "foreign"]).await;
        let error = RedisState::connect(&RedisConfig::new(server.url())).await.expect_err("is refused").to_string();
        assert!(error.contains("WRONGTYPE") && error.contains(&key), "{error}");
        assert!(error.contains("look for what else writes"), "{error}");
        server.flush_all().await;
    }
}

#[tokio::test]
async fn a_right_that_one_server_of_a_cluster_lacks_is_named_with_the_server() {
    let cluster = RedisCluster::start(3, 0).await;
    let mut rules = least_user::rules();
    rules.extend(["+cluster|slots".to_owned(), "+asking".to_owned()]);
    for server in cluster.servers() {
        least_user::create(server, &rules).await;
    }
    let config = least_user::sign_in(RedisConfig::nodes(cluster.urls()));
    RedisState::connect(&config).await.expect("nothing is missing");
    for (server, gone) in cluster.servers().iter().zip(["+hscan", "+ssubscribe", "+cluster|slots"]) {
        let some: Vec<_> = rules.iter().filter(|rule| *rule != gone).cloned().collect();
        least_user::create(server, &some).await;
        let error = RedisState::connect(&config).await.expect_err("is refused").to_string();
        assert!(error.contains(&server.address().to_string()), "{error}");
        let command = gone.trim_start_matches('+').split('|').next().expect("is one").to_uppercase();
        assert!(error.to_uppercase().contains(&command), "{command}: {error}");
        // Each is named once, though there are 64 partitions.
        assert!(error.lines().count() <= 8, "{error}");
        least_user::create(server, &rules).await;
    }
}

#[tokio::test]
async fn the_password_is_not_blamed_for_a_missing_right_nor_the_other_way_round() {
    let server = RedisServer::start().await;
    let rules: Vec<_> = least_user::rules().into_iter().filter(|rule| rule != "+info").collect();
    let text = refused(&server, &rules).await;
    assert!(!text.contains("password"), "{text}");
    let config = RedisConfig::new(server.url()).username(least_user::NAME).password("wrong");
    let error = RedisState::connect(&config).await.expect_err("is refused");
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
}
