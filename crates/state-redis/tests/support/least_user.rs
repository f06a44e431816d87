//! The user that docs/scaling.md describes, with no right beyond those.

use roomwire_state_redis::RedisConfig;
use roomwire_test_servers::RedisServer;

pub(crate) const NAME: &str = "chat";
pub(crate) const PASSWORD: &str = "secret";

/// The words of the documented command after the user's name.
pub(crate) fn rules() -> Vec<String> {
    let page = include_str!("../../../../docs/scaling.md");
    let line = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER chat ")).expect("is documented");
    line.split(' ').map(str::to_owned).collect()
}

/// Gives a server the user with exactly these rules.
pub(crate) async fn create(server: &RedisServer, rules: &[String]) {
    let words: Vec<&str> =
        ["ACL", "SETUSER", NAME, "reset"].into_iter().chain(rules.iter().map(String::as_str)).collect();
    server.ask::<()>(&words).await;
}

pub(crate) fn sign_in(config: RedisConfig) -> RedisConfig {
    config.username(NAME).password(PASSWORD)
}
