//! The server: addresses, transports, TLS, logging.

use super::{ConfigKey, DAY, LONGEST_PATH, TEN_MINUTES, key};
use crate::config::field::Field;

pub(super) static KEYS: &[ConfigKey] = &[
    key("enabled", "Whether the service runs; when not, the path answers 503.", |c| Field::Switch(&mut c.enabled)),
    key("debug", "Logs each event in and out with its outcome, never its payload.", |c| Field::Switch(&mut c.debug))
    .at_once(),
    key("host", "The address to listen on; the default is reachable from this machine only.", |c| {
        Field::Address(&mut c.host)
    }),
    key("path", "The path that clients connect to.", |c| Field::Path(&mut c.path)),
    key("port", "The port to listen on; 0 lets the system choose a free one.", |c| {
        Field::count(&mut c.port, 0..=u16::MAX.into())
    }),
    key("transports", "The transports that clients may use.", |c| Field::Transports(&mut c.transports)),
    key("pingInterval", "The interval of heartbeat pings.", |c| Field::millis(&mut c.ping_interval, 100..=TEN_MINUTES))
    .for_new_clients(),
    key("pingTimeout", "How long to wait for the pong before the client is disconnected.", |c| {
        Field::millis(&mut c.ping_timeout, 100..=TEN_MINUTES)
    })
    .for_new_clients(),
    key("maxConnections", "The most clients that may be connected to this process at one time.", |c| {
        Field::count(&mut c.max_connections, 1..=u32::MAX.into())
    })
    .at_once(),
    key("ssl", "Whether to serve TLS.", |c| Field::Switch(&mut c.ssl)),
    key("tls.cert", "The file with the certificate, as PEM, when ssl is true.", |c| {
        Field::text(&mut c.tls.cert, LONGEST_PATH)
    })
    .at_once(),
    key("tls.key", "The file with the certificate's private key, as PEM.", |c| {
        Field::text(&mut c.tls.key, LONGEST_PATH)
    })
    .at_once(),
    key("tls.reload", "How often these files are checked for a new certificate.", |c| {
        Field::millis(&mut c.tls.reload, 1000..=DAY)
    })
    .at_once(),
    key(
        "allowedOrigins",
        "The origins that may connect (CORS), besides the server's own and, on one machine, those of loopback addresses.",
        |c| Field::Origins(&mut c.allowed_origins),
    )
    .at_once(),
    key(
        "trustedProxies",
        "The networks of trusted proxies, the only ones with X-Forwarded-For and Forwarded headers that count.",
        |c| Field::Networks(&mut c.trusted_proxies),
    )
    .at_once(),
    key("keepAlive", "Whether accepted connections use TCP keep-alive.", |c| Field::Switch(&mut c.keep_alive)),
    key("retryConfig.attempts", "The number of retries of a failed call of the state backend.", |c| {
        Field::count(&mut c.retry_config.attempts, 0..=20)
    }),
    key("retryConfig.delay", "The delay before the first retry.", |c| {
        Field::millis(&mut c.retry_config.delay, 0..=TEN_MINUTES)
    }),
    key("retryConfig.maxDelay", "The longest delay between two attempts.", |c| {
        Field::millis(&mut c.retry_config.max_delay, 0..=TEN_MINUTES)
    }),
    key(
        "retryConfig.timeout",
        "How long calls of the state backend may be retried at start; later the shorter of this and state.timeout applies.",
        |c| Field::millis(&mut c.retry_config.timeout, 1..=TEN_MINUTES),
    ),
    key("logger.level", "The least severe lines that are logged.", |c| Field::Level(&mut c.logger.level))
    .at_once(),
    key("logger.pretty", "Human-readable log lines; otherwise one JSON object a line.", |c| {
        Field::Switch(&mut c.logger.pretty)
    }),
    key(
        "nodeId",
        "The name of this process in the cluster, which should be unique; by default it is generated at start.",
        |c| Field::Node(&mut c.node_id),
    ),
];
