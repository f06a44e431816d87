//! Logs, as `logger` and `debug` say.

use std::io::IsTerminal;

use roomwire_core::{WebSocketConfig, config::LogLevel};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Writes logs to standard error: those of Roomwire from `logger.level` on (`debug: true` means `debug`), those of
/// everything else from `warn` on. `logger.pretty` chooses lines for people; without it each line is JSON.
///
/// Roomwire logs no payload, no token and nothing else a client sent but checked names, at any level. The
/// libraries under it cannot log at all.
///
/// Does nothing, and returns false, when the process has a logger already.
pub fn init(config: &WebSocketConfig) -> bool {
    let level = if config.debug { LogLevel::Debug } else { config.logger.level };
    let filter = EnvFilter::new(format!("warn,roomwire={level}"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if config.logger.pretty {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        lines.with_ansi(false).json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().is_ok()
}
