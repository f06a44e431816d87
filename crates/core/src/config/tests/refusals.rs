//! Rejected values, and the error messages.

use super::{load_file, load_variables, refused};

/// Allowed and invalid values by key, as written in a JSON file.
const REFUSED: &[(&str, &str, &[&str])] = &[
    ("enabled", "true or false", &["1", "\"true\"", "null", "[]"]),
    ("debug", "true or false", &["\"yes\""]),
    ("host", "an IP address such as 127.0.0.1, 0.0.0.0 or ::1", &["\"localhost\"", "\"1.2.3\"", "\"\"", "1"]),
    (
        "path",
        "a URL path such as /socket.io, with / in front, none at the end, and no query",
        &["\"\"", "\"/\"", "\"chat\"", "\"/chat/\"", "\"/a b\"", "\"/a?b\"", "\"/a#b\"", "\"/ä\"", "3"],
    ),
    ("port", "a whole number from 0 to 65535", &["65536", "-1", "3000.0", "\"3000\"", "true", "18446744073709551615"]),
    (
        "transports",
        "a list of websocket and polling, at least one, none twice",
        &["[]", "[\"polling\", \"polling\"]", "[\"webtransport\"]", "\"polling\"", "[1]", "[\"Polling\"]"],
    ),
    ("pingInterval", "a whole number of milliseconds from 100 to 600000", &["99", "600001", "\"25s\""]),
    ("pingTimeout", "a whole number of milliseconds from 100 to 600000", &["99", "600001"]),
    ("maxConnections", "a whole number from 1 to 4294967295", &["0", "4294967296"]),
    ("ssl", "true or false", &["0"]),
    ("tls.cert", "text of 1 to 4096 bytes without control characters", &["\"\"", "7"]),
    ("tls.key", "text of 1 to 4096 bytes without control characters", &[]),
    ("tls.reload", "a whole number of milliseconds from 1000 to 86400000", &["999"]),
    (
        "allowedOrigins",
        "a list of origins such as https://app.example.com (no path and no slash at the end, no port 80 or 443), none twice, or * alone for all",
        &["[\"app.example.com\"]", "[\"null\"]", "[\"https://a.example/\"]", "[\"*\", \"https://a.example\"]"],
    ),
    (
        "trustedProxies",
        "a list of IP addresses or networks such as 10.0.0.0/8, none twice",
        &["[\"proxy\"]", "[\"10.0.0.0/33\"]", "\"10.0.0.1\""],
    ),
    ("keepAlive", "true or false", &["\"on\""]),
    ("retryConfig.attempts", "a whole number from 0 to 20", &["21", "-1"]),
    ("retryConfig.delay", "a whole number of milliseconds from 0 to 600000", &["600001"]),
    (
        "retryConfig.maxDelay",
        "a whole number of milliseconds from 0 to 600000, at least retryConfig.delay",
        &["600001", "0.5"],
    ),
    ("retryConfig.timeout", "a whole number of milliseconds from 1 to 600000", &["0", "600001"]),
    ("logger.level", "error, warn, info or debug", &["\"trace\"", "\"INFO\"", "\"\"", "3"]),
    ("logger.pretty", "true or false", &["\"false\""]),
    ("nodeId", "text of 1 to 128 bytes without control characters", &["\"\"", "\"a\\tb\"", "7", "false"]),
    (
        "auth.algorithms",
        "a list of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA, none twice",
        &["[\"none\"]", "[\"HS256\", \"HS256\"]"],
    ),
    ("auth.secret", "text of 1 to 1024 bytes without control characters", &[]),
    ("auth.publicKey", "text that begins with -----BEGIN", &["\"ssh-rsa AAAA\"", "\"\""]),
    ("auth.keyFile", "text of 1 to 4096 bytes without control characters", &["\"\""]),
    ("auth.jwks", "text of 1 to 4096 bytes without control characters", &["\"\""]),
    ("auth.jwksRefresh", "a whole number of milliseconds from 1000 to 86400000", &["999"]),
    ("auth.issuers", "a list of texts of 1 to 256 bytes, none twice", &["\"me\"", "[\"\"]", "[\"a\", \"a\"]"]),
    ("auth.audiences", "a list of texts of 1 to 256 bytes, none twice", &["[1]"]),
    ("auth.leeway", "a whole number of milliseconds from 0 to 600000", &["600001"]),
    ("auth.userClaim", "text of 1 to 256 bytes without control characters", &["\"\"", "null"]),
    ("auth.field", "text of 1 to 256 bytes without control characters", &["1"]),
    ("auth.header", "text of 1 to 256 bytes without control characters", &["[]"]),
    ("auth.anonymous", "true or false", &["\"yes\""]),
    ("auth.timeout", "a whole number of milliseconds from 100 to 60000", &["99", "60001"]),
    ("auth.revocation", "a whole number of milliseconds from 1000 to 2592000000", &["999"]),
    ("limits.payload", "a whole number of bytes from 1024 to 67108864", &["1023", "67108865"]),
    ("limits.attachments", "a whole number from 0 to 1000", &["1001"]),
    ("limits.depth", "a whole number from 1 to 120", &["0", "121"]),
    ("limits.eventName", "a whole number of bytes from 1 to 64", &["0", "65"]),
    ("limits.roomName", "a whole number of bytes from 1 to 128", &["0", "129"]),
    ("limits.roomsPerClient", "a whole number from 1 to 100000", &["0"]),
    ("limits.metadata", "a whole number of bytes from 0 to 1048576", &["1048577"]),
    ("limits.eventsPerSecond", "a whole number from 1 to 1000000", &["0"]),
    ("limits.eventBurst", "a whole number from 1 to 1000000", &["0"]),
    ("limits.bytesPerSecond", "a whole number of bytes from 1024 to 1073741824", &["1023"]),
    ("limits.byteBurst", "a whole number of bytes from 1024 to 1073741824", &["1023"]),
    ("limits.connectionsPerAddress", "a whole number from 1 to 1000000", &["0"]),
    ("limits.reconnectsPerSecond", "a whole number from 1 to 100000", &["0"]),
    ("limits.reconnectBurst", "a whole number from 1 to 100000", &["0"]),
    ("limits.headers", "a whole number from 8 to 1000", &["7"]),
    ("limits.headerBytes", "a whole number of bytes from 8192 to 1048576", &["8191"]),
    ("limits.handshakeTimeout", "a whole number of milliseconds from 100 to 600000", &["99"]),
    ("limits.writeTimeout", "a whole number of milliseconds from 100 to 600000", &["99"]),
    ("limits.mailbox", "a whole number from 16 to 65536", &["15", "65537"]),
    ("limits.sendBuffer", "a whole number from 16 to 65536", &["15", "65537"]),
    ("limits.sendBufferBytes", "a whole number of bytes from 1024 to 1073741824", &["1023"]),
    ("limits.idleTimeout", "a whole number of milliseconds from 0 to 86400000", &["-1", "86400001"]),
    ("lease.duration", "a whole number of milliseconds from 100 to 600000", &["99", "600001"]),
    (
        "lease.heartbeat",
        "a whole number of milliseconds from 10 to 300000, at most half of lease.duration",
        &["9", "300001"],
    ),
    ("lease.reconcile", "a whole number of milliseconds from 1000 to 3600000", &["999", "3600001"]),
    ("health.outageLimit", "a whole number of milliseconds from 0 to 3600000", &["3600001", "-1"]),
    ("drain.timeout", "a whole number of milliseconds from 0 to 3600000", &["3600001"]),
    (
        "drain.delay",
        "a whole number of milliseconds from 0 to 3600000, at most half of drain.timeout",
        &["3600001", "-1"],
    ),
    ("drain.spread", "a whole number of milliseconds from 0 to 3600000", &["3600001"]),
    (
        "state.urls",
        "a list of URLs, each a scheme, :// and an address, none twice",
        &[
            "\"tcp://h\"",
            "[\"h:1\"]",
            "[\"tcp://\"]",
            "[\"1://h\"]",
            "[\"tcp://a b\"]",
            "[\"tcp://h\", \"tcp://h\"]",
            "[1]",
        ],
    ),
    ("state.username", "text of 1 to 256 bytes without control characters", &["\"\"", "\"a\\tb\"", "7"]),
    ("state.password", "text of 1 to 1024 bytes without control characters", &[]),
    ("state.database", "a whole number from 0 to 1000000", &["1000001", "-1"]),
    (
        "state.prefix",
        "text of 1 to 64 letters A to Z or a to z, digits and _ . : -",
        &["\"\"", "\"a b\"", "\"{a}\"", "\"ä\"", "null"],
    ),
    ("state.poolSize", "a whole number from 1 to 64", &["0", "65"]),
    ("state.timeout", "a whole number of milliseconds from 100 to 600000", &["99", "600001"]),
    ("state.connectTimeout", "a whole number of milliseconds from 100 to 600000", &["99", "600001"]),
    ("api.token", "text of 16 to 1024 printable ASCII characters without spaces", &[]),
    ("api.host", "an IP address such as 127.0.0.1, 0.0.0.0 or ::1", &["\"localhost\""]),
    ("api.port", "a whole number from 0 to 65535", &["65536"]),
    ("api.bodyLimit", "a whole number of bytes from 1024 to 67108864", &["1023", "67108865"]),
];

#[test]
fn every_key_refuses_what_it_does_not_allow_with_key_value_source_and_allowed() {
    for (key, allowed, values) in REFUSED {
        for value in *values {
            let text = match key.split_once('.') {
                Some((group, name)) => format!("{{\"{group}\": {{\"{name}\": {value}}}}}"),
                None => format!("{{\"{key}\": {value}}}"),
            };
            let expected = format!("{key} = {value} in roomwire.json: expected {allowed}");
            assert_eq!(refused(&[("roomwire.json", &text)], &[]), [expected]);
        }
    }
    let keys: Vec<_> = REFUSED.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys, super::super::ConfigKey::all().map(super::super::ConfigKey::name).collect::<Vec<_>>());
}

#[test]
fn text_of_variables_must_be_of_the_kind_of_the_key() {
    for (variable, value, shown) in [
        ("ROOMWIRE_PORT", "many", "port = \"many\""),
        ("ROOMWIRE_PORT", "", "port = \"\""),
        ("ROOMWIRE_PORT", "+80", "port = \"+80\""),
        ("ROOMWIRE_PORT", "-80", "port = \"-80\""),
        ("ROOMWIRE_PORT", " 80", "port = \" 80\""),
        ("ROOMWIRE_PORT", "70000", "port = 70000"),
        ("ROOMWIRE_PORT", "99999999999999999999", "port = \"99999999999999999999\""),
        ("ROOMWIRE_PING_INTERVAL", "25s", "pingInterval = \"25s\""),
        ("ROOMWIRE_DEBUG", "1", "debug = \"1\""),
        ("ROOMWIRE_DEBUG", "TRUE", "debug = \"TRUE\""),
        ("ROOMWIRE_TRANSPORTS", "", "transports = [\"\"]"),
        ("ROOMWIRE_TRANSPORTS", "polling,", "transports = [\"polling\", \"\"]"),
        ("ROOMWIRE_NODE_ID", "", "nodeId = \"\""),
        ("ROOMWIRE_LOGGER__LEVEL", "loud", "logger.level = \"loud\""),
    ] {
        let lines = refused(&[], &[(variable, value)]);
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("{shown} in {variable}: expected ")), "{lines:?}");
    }
}

#[test]
fn unknown_keys_are_refused_with_the_key_that_was_meant() {
    for (text, problem) in [
        ("pingIntervall = 3", "pingIntervall = 3 in roomwire.toml: no such key; did you mean `pingInterval`?"),
        ("ping_interval = 3", "ping_interval = 3 in roomwire.toml: no such key; did you mean `pingInterval`?"),
        ("ping-interval = 3", "ping-interval = 3 in roomwire.toml: no such key; did you mean `pingInterval`?"),
        ("pnigInterval = 3", "pnigInterval = 3 in roomwire.toml: no such key; did you mean `pingInterval`?"),
        ("Port = 3", "Port = 3 in roomwire.toml: no such key; did you mean `port`?"),
        ("maxDelay = 3", "maxDelay = 3 in roomwire.toml: no such key; did you mean `retryConfig.maxDelay`?"),
        (
            "retryConfig.max_delay = 3",
            "retryConfig.max_delay = 3 in roomwire.toml: no such key; did you mean `retryConfig.maxDelay`?",
        ),
        (
            "\"retryConfig.maxDelay\" = 3",
            "\"retryConfig.maxDelay\" = 3 in roomwire.toml: no such key; did you mean `retryConfig.maxDelay`?",
        ),
        (
            "[retry_config]\nattempts = 3",
            "retry_config = {\"attempts\": 3} in roomwire.toml: no such key; did you mean `retryConfig`?",
        ),
        ("logger.colour = true", "logger.colour = true in roomwire.toml: no such key; the keys here are level, pretty"),
        (
            "\"a\\nb\" = 1",
            "\"a\\nb\" = 1 in roomwire.toml: no such key; the keys here are enabled, debug, host, path, port, \
             transports, pingInterval, pingTimeout, maxConnections, ssl, tls, allowedOrigins, trustedProxies, keepAlive, \
             retryConfig, logger, nodeId, auth, limits, lease, health, drain, state, api",
        ),
    ] {
        assert_eq!(refused(&[("roomwire.toml", text)], &[]), [problem]);
    }
}

#[test]
fn unknown_variables_are_refused_with_the_variable_that_was_meant() {
    for (name, meant) in [
        ("ROOMWIRE_PING_INTERVALL", "did you mean ROOMWIRE_PING_INTERVAL?"),
        ("ROOMWIRE_PINGINTERVAL", "did you mean ROOMWIRE_PING_INTERVAL?"),
        ("ROOMWIRE_pingInterval", "did you mean ROOMWIRE_PING_INTERVAL?"),
        ("ROOMWIRE_RETRY_CONFIG_ATTEMPTS", "did you mean ROOMWIRE_RETRY_CONFIG__ATTEMPTS?"),
        (
            "ROOMWIRE_COLOUR",
            "each is named for a key, such as ROOMWIRE_RETRY_CONFIG__MAX_DELAY for retryConfig.maxDelay",
        ),
    ] {
        assert_eq!(
            refused(&[], &[(name, "3")]),
            [format!("{name} = \"3\" in the environment: no such variable; {meant}")]
        );
    }
}

#[test]
fn all_problems_of_all_layers_are_reported_at_once() {
    let file = ("roomwire.toml", "port = 1\npingIntervall = 3\n[logger]\nlevel = \"loud\"\n");
    assert_eq!(
        refused(&[file], &[("ROOMWIRE_PORT", "many"), ("ROOMWIRE_LEASE__DURATION", "1000")]),
        [
            "logger.level = \"loud\" in roomwire.toml: expected error, warn, info or debug",
            "pingIntervall = 3 in roomwire.toml: no such key; did you mean `pingInterval`?",
            "port = \"many\" in ROOMWIRE_PORT: expected a whole number from 0 to 65535",
            "lease.heartbeat = 2000 in the defaults: expected at most half of lease.duration, which is 1000 in \
             ROOMWIRE_LEASE__DURATION",
        ]
    );
    let unreadable = refused(&[("roomwire.toml", "port")], &[("ROOMWIRE_PORT", "many")]);
    assert!(unreadable.len() == 2 && unreadable[0].starts_with("roomwire.toml: line 1"), "{unreadable:?}");
}

#[test]
fn the_error_counts_its_problems_and_reads_the_same_when_a_main_returns_it() {
    let one = load_variables(&[("ROOMWIRE_PORT", "many")]).expect_err("refused");
    let text = "1 configuration problem:\n  port = \"many\" in ROOMWIRE_PORT: expected a whole number from 0 to 65535";
    assert_eq!(one.to_string(), text);
    assert_eq!(format!("{one:?}"), text);
    let two = load_variables(&[("ROOMWIRE_PORT", "many"), ("ROOMWIRE_SSL", "no")]).expect_err("refused");
    assert!(two.to_string().starts_with("2 configuration problems:\n  port = "));
}

#[test]
fn values_are_shown_short_on_one_line_and_likely_secrets_not_at_all() {
    let long = load_variables(&[("ROOMWIRE_HOST", &"ü".repeat(10_000))]).expect_err("refused");
    assert_eq!(long.problems()[0].value(), Some(format!("\"{}…", "ü".repeat(99)).as_str()));
    let lines = load_variables(&[("ROOMWIRE_HOST", "a\nb\u{202e}")]).expect_err("refused");
    assert_eq!(lines.problems()[0].value(), Some("\"a\\nb\\u{202e}\""));
    for name in ["ROOMWIRE_REDIS_URL", "ROOMWIRE_PASSWORD", "ROOMWIRE_AUTH__SEKRIT", "ROOMWIRE_API_TOKEN"] {
        assert!(!load_variables(&[(name, "hunter2")]).expect_err("refused").to_string().contains("hunter2"));
    }
    for text in [r#"{"auth": {"x": "hunter2"}}"#, r#"{"redis": {"password": "hunter2", "port": 1}}"#] {
        assert!(!load_file("roomwire.json", text).expect_err("refused").to_string().contains("hunter2"));
    }
}
