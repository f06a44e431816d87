//! Loading and validating configurations.

mod documentation;
mod files;
mod layers;
mod refusals;
mod reload;
mod secrets;
mod validation;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ConfigError, WebSocketConfig};

/// A value other than the default for every key.
fn other_values() -> Vec<(&'static str, Value)> {
    vec![
        ("enabled", json!(false)),
        ("debug", json!(true)),
        ("host", json!("::1")),
        ("path", json!("/chat/v1")),
        ("port", json!(0)),
        ("transports", json!(["polling"])),
        ("pingInterval", json!(100)),
        ("pingTimeout", json!(600_000)),
        ("maxConnections", json!(u32::MAX)),
        ("ssl", json!(true)),
        ("tls.cert", json!("cert.pem")),
        ("tls.key", json!("key.pem")),
        ("tls.reload", json!(1000)),
        ("allowedOrigins", json!(["https://app.example.com", "http://localhost:8080"])),
        ("trustedProxies", json!(["10.0.0.0/8", "::1/128"])),
        ("keepAlive", json!(false)),
        ("retryConfig.attempts", json!(20)),
        ("retryConfig.delay", json!(5000)),
        ("retryConfig.maxDelay", json!(1000)),
        ("retryConfig.timeout", json!(1)),
        ("logger.level", json!("debug")),
        ("logger.pretty", json!(false)),
        ("nodeId", json!("node-1")),
        ("auth.algorithms", json!(["RS256", "EdDSA"])),
        ("auth.secret", json!("hunter2")),
        ("auth.publicKey", json!("-----BEGIN PUBLIC KEY-----")),
        ("auth.keyFile", json!("key.pem")),
        ("auth.jwks", json!("https://id.example.com/jwks.json")),
        ("auth.jwksRefresh", json!(86_400_000)),
        ("auth.issuers", json!(["https://id.example.com"])),
        ("auth.audiences", json!(["chat", "räume"])),
        ("auth.leeway", json!(0)),
        ("auth.userClaim", json!("uid")),
        ("auth.field", json!("jwt")),
        ("auth.header", json!("x-token")),
        ("auth.anonymous", json!(true)),
        ("auth.timeout", json!(60_000)),
        ("auth.revocation", json!(1000)),
        ("limits.payload", json!(67_108_864)),
        ("limits.attachments", json!(0)),
        ("limits.depth", json!(120)),
        ("limits.eventName", json!(1)),
        ("limits.roomName", json!(1)),
        ("limits.roomsPerClient", json!(100_000)),
        ("limits.metadata", json!(0)),
        ("limits.eventsPerSecond", json!(1)),
        ("limits.eventBurst", json!(1)),
        ("limits.bytesPerSecond", json!(1024)),
        ("limits.byteBurst", json!(1_073_741_824)),
        ("limits.connectionsPerAddress", json!(1)),
        ("limits.reconnectsPerSecond", json!(100_000)),
        ("limits.reconnectBurst", json!(1)),
        ("limits.headers", json!(8)),
        ("limits.headerBytes", json!(8192)),
        ("limits.handshakeTimeout", json!(100)),
        ("limits.writeTimeout", json!(600_000)),
        ("limits.mailbox", json!(16)),
        ("limits.sendBuffer", json!(65_536)),
        ("limits.sendBufferBytes", json!(1024)),
        ("limits.idleTimeout", json!(60_000)),
        ("lease.duration", json!(4000)),
        ("lease.heartbeat", json!(5000)),
        ("lease.reconcile", json!(3_600_000)),
        ("health.outageLimit", json!(0)),
        ("drain.timeout", json!(0)),
        ("drain.delay", json!(5000)),
        ("drain.spread", json!(0)),
        ("state.urls", json!(["tcp://127.0.0.1:1", "tcp://[::1]:2/0"])),
        ("state.username", json!("räume 🏠")),
        ("state.password", json!("hunter2")),
        ("state.database", json!(1_000_000)),
        ("state.prefix", json!("Chat-1_a.b:")),
        ("state.poolSize", json!(64)),
        ("state.timeout", json!(100)),
        ("state.connectTimeout", json!(600_000)),
        ("api.token", json!("hunter2-hunter2-hunter2")),
        ("api.host", json!("::")),
        ("api.port", json!(65_535)),
        ("api.bodyLimit", json!(1024)),
    ]
}

/// The defaults with one key changed, serialized: without secrets.
fn default_with(key: &str, value: &Value) -> Value {
    let mut config = serde_json::to_value(WebSocketConfig::default()).expect("serializes");
    match key.split_once('.') {
        Some(("state", "password") | ("auth", "secret") | ("api", "token")) => {}
        Some((group, name)) => config[group][name] = value.clone(),
        None => config[key] = value.clone(),
    }
    config
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads from one file in an otherwise empty directory.
fn load_file(name: &str, text: &str) -> Result<WebSocketConfig, ConfigError> {
    load(&[(name, text)], &[])
}

/// Loads from variables alone.
fn load_variables(pairs: &[(&str, &str)]) -> Result<WebSocketConfig, ConfigError> {
    load(&[], pairs)
}

fn load(files: &[(&str, &str)], pairs: &[(&str, &str)]) -> Result<WebSocketConfig, ConfigError> {
    load_in(&directory_with(files), pairs)
}

/// The lines of the error, with files named as if their directory were the current one.
fn refused(files: &[(&str, &str)], pairs: &[(&str, &str)]) -> Vec<String> {
    let directory = directory_with(files);
    let prefix = format!("{}/", directory.path().display());
    let error = load_in(&directory, pairs).expect_err("refused");
    error.problems().iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

fn directory_with(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

fn load_in(directory: &TempDir, pairs: &[(&str, &str)]) -> Result<WebSocketConfig, ConfigError> {
    WebSocketConfig::loader().directory(directory.path()).variables(variables(pairs)).load()
}
