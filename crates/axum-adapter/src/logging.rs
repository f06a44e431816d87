//! Logging, as `logger` and `debug` configure it.

use std::{io::IsTerminal, sync::OnceLock};

use roomwire_core::{WebSocketConfig, config::LogLevel};
use roomwire_service::EVENTS_TARGET;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{LevelFilter, filter_fn},
    fmt::MakeWriter,
    layer::{Filter, SubscriberExt},
    reload::{self, Handle},
    util::SubscriberInitExt,
};

/// Writes logs to standard error, from `logger.level` on (`debug: true` means `debug`): those of Roomwire, of the app and
/// of its libraries. Libraries that log each step of their own work, such as hyper, h2, rustls, tower and redis, are shown
/// from `warn` on. `logger.pretty` selects human-readable lines; otherwise each line is JSON.
///
/// The lines of events that [`set_debug`](roomwire_service::WebSocketService::set_debug) shows pass at every level. Their
/// target is `roomwire::events`.
///
/// The variable `RUST_LOG`, if set, replaces these levels: `RUST_LOG=debug`, or `RUST_LOG=warn,roomwire=debug`.
///
/// Call it before the service is built: [`serve`](crate::serve) does so too, but the attempts to reach Redis at start are
/// logged before that.
///
/// Roomwire logs no payload, no token and no other data of a client except names and origins, at any level; these are
/// truncated, and escaped so that they can neither break a line nor hide in it ([`Escaped`](roomwire_core::Escaped)).
/// Other Socket.IO servers in the process (socketioxide) would print packets, and are silenced unless `RUST_LOG` names
/// them.
///
/// Does nothing, and returns false, if the app has installed a subscriber already: install it before this is called, and
/// it gets Roomwire's lines, which have the target `roomwire`.
///
/// When the configuration is reloaded, a new level applies at once.
pub fn init(config: &WebSocketConfig) -> bool {
    let levels = std::env::var("RUST_LOG").ok();
    let (logger, handle) = logger(config, levels.as_deref(), std::io::stderr, std::io::stderr().is_terminal());
    let is_ours = logger.try_init().is_ok();
    if let Some(handle) = handle.filter(|_| is_ours) {
        let _ = LEVELS.set(handle);
    }
    is_ours
}

/// The levels that the configuration sets, of the process's only logger. Unset if they come from elsewhere.
static LEVELS: OnceLock<Handle<Levels, Registry>> = OnceLock::new();

/// Applies `logger.level` and `debug` of a reloaded configuration. Does nothing if `RUST_LOG` is set, or the app has a
/// subscriber of its own.
pub(crate) fn reload(config: &WebSocketConfig) {
    if let Some(levels) = LEVELS.get() {
        // It fails only if the logger is gone.
        let _ = levels.reload(configured(config));
    }
}

/// Libraries of other Socket.IO servers in the process, which log every packet unredacted.
const CARRIERS: [&str; 4] = ["engineioxide", "engineioxide_core", "socketioxide", "socketioxide_core"];

/// Libraries that log each step of their own work, by the names of their crates.
const NOISY: [&str; 21] = [
    "deadpool",
    "deadpool_redis",
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "mio",
    "opentelemetry",
    "opentelemetry_otlp",
    "opentelemetry_sdk",
    "redis",
    "reqwest",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tokio_tungstenite",
    "tokio_util",
    "tonic",
    "tower",
    "tungstenite",
    "want",
];

type Levels = Box<dyn Filter<Registry> + Send + Sync>;

fn logger<W>(
    config: &WebSocketConfig,
    levels: Option<&str>,
    writer: W,
    colours: bool,
) -> (impl Subscriber + Send + Sync, Option<Handle<Levels, Registry>>)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let levels = levels.filter(|levels| !levels.trim().is_empty());
    let filter: Levels = match levels {
        Some(levels) => {
            let silent = CARRIERS.map(|carrier| format!("{carrier}=off,")).concat();
            Box::new(EnvFilter::new(format!("{silent}{levels}")))
        }
        None => configured(config),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if config.logger.pretty {
        lines.with_ansi(colours).boxed()
    } else {
        lines.with_ansi(false).json().flatten_event(true).boxed()
    };
    let (filter, handle) = reload::Layer::new(filter);
    (tracing_subscriber::registry().with(lines.with_filter(filter)), levels.is_none().then_some(handle))
}

/// The levels without `RUST_LOG`. Crates are compared by their whole names: an [`EnvFilter`] would take `redis` for the
/// beginning of an app named `redis_chat`, too.
fn configured(config: &WebSocketConfig) -> Levels {
    let level = match if config.debug { LogLevel::Debug } else { config.logger.level } {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let filter = filter_fn(move |line| {
        if line.target() == EVENTS_TARGET {
            // Written only for what `set_debug` names.
            return *line.level() <= LevelFilter::DEBUG;
        }
        let library = line.target().split("::").next().unwrap_or_default();
        let shown = match library {
            _ if CARRIERS.contains(&library) => LevelFilter::OFF,
            _ if NOISY.contains(&library) => level.min(LevelFilter::WARN),
            _ => level,
        };
        *line.level() <= shown
    });
    Box::new(filter.with_max_level_hint(level.max(LevelFilter::DEBUG)))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use roomwire_core::{WebSocketConfig, config::LogLevel};

    use super::logger;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(set: impl FnOnce(&mut WebSocketConfig)) -> Vec<String> {
        lines_at(None, set)
    }

    fn lines_at(levels: Option<&str>, set: impl FnOnce(&mut WebSocketConfig)) -> Vec<String> {
        lines_of(levels, set, || {
            tracing::debug!(target: "roomwire", answer = 42, "small");
            tracing::info!(target: "roomwire", "middle");
            tracing::info!(target: "hyper::proto", "of a library");
            tracing::error!(target: "roomwire", "large");
        })
    }

    fn lines_of(levels: Option<&str>, set: impl FnOnce(&mut WebSocketConfig), log: impl FnOnce()) -> Vec<String> {
        let mut config = WebSocketConfig::default();
        set(&mut config);
        let written = Written::default();
        let writer = written.clone();
        let (logger, _) = logger(&config, levels, move || writer.clone(), false);
        tracing::subscriber::with_default(logger, log);
        let bytes = written.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn level_and_debug_say_what_is_logged() {
        assert_eq!(lines(|_| {}).len(), 2);
        assert_eq!(lines(|config| config.logger.level = LogLevel::Error).len(), 1);
        assert_eq!(lines(|config| config.debug = true).len(), 3);
    }

    #[test]
    fn the_lines_of_the_app_show_from_the_configured_level_on() {
        let log = || {
            tracing::debug!(target: "my_app::orders", "step");
            tracing::info!(target: "my_app::orders", "news");
            // Its name only begins like that of a noisy library.
            tracing::info!(target: "redis_chat", "news");
            tracing::info!(target: "tower_http::trace", "news");
            tracing::warn!(target: "my_app", "trouble");
        };
        assert_eq!(lines_of(None, |_| {}, log).len(), 4);
        assert_eq!(lines_of(None, |config| config.debug = true, log).len(), 5);
        assert_eq!(lines_of(None, |config| config.logger.level = LogLevel::Warn, log).len(), 1);
    }

    #[test]
    fn lines_of_events_pass_at_every_level() {
        let log = || {
            tracing::debug!(target: "roomwire::events", "event");
            tracing::trace!(target: "roomwire::events", "step");
            tracing::debug!(target: "roomwire::eventsources", "step");
            tracing::debug!(target: "roomwire", "step");
        };
        for level in [LogLevel::Error, LogLevel::Info] {
            let shown = lines_of(None, |config| config.logger.level = level, log);
            assert!(shown.len() == 1 && shown[0].contains("event"), "{shown:?}");
        }
        assert_eq!(lines_of(Some("roomwire=info"), |_| {}, log).len(), 0, "RUST_LOG decides");
    }

    #[test]
    fn noisy_libraries_show_their_warnings_alone() {
        let log = || {
            for _ in 0..2 {
                tracing::info!(target: "hyper::proto::h1", "step");
                tracing::debug!(target: "redis::aio", "step");
                tracing::info!(target: "h2", "step");
                tracing::warn!(target: "rustls::conn", "trouble");
            }
        };
        for debug in [false, true] {
            let shown = lines_of(None, |config| config.debug = debug, log);
            assert_eq!(shown.len(), 2, "{shown:?}");
        }
        assert_eq!(lines_of(None, |config| config.logger.level = LogLevel::Error, log).len(), 0);
    }

    #[test]
    fn rust_log_replaces_the_levels_of_the_configuration() {
        assert_eq!(lines_at(Some("debug"), |_| {}).len(), 4, "of others too");
        assert_eq!(lines_at(Some("roomwire=error"), |config| config.debug = true).len(), 1);
        assert_eq!(lines_at(Some(" "), |_| {}).len(), 2, "empty is not set");
        let shown = lines_of(
            Some("trace,engineioxide=error"),
            |_| {},
            || {
                tracing::error!(target: "socketioxide::client", "packet");
                tracing::error!(target: "engineioxide", "asked for");
            },
        );
        assert!(shown.len() == 1 && shown[0].contains("asked for"), "{shown:?}");
    }

    #[test]
    fn other_socketio_servers_are_silent_at_every_level() {
        let shown = lines_of(
            None,
            |config| config.debug = true,
            || {
                tracing::error!(target: "socketioxide::client", "packet");
                tracing::error!(target: "engineioxide", "packet");
                tracing::trace!(target: "hyper::proto", "packet");
                tracing::error!(target: "socketioxide_core::parser", "packet");
                tracing::error!(target: "other", "theirs");
            },
        );
        assert!(shown.len() == 1 && shown[0].contains("theirs"), "{shown:?}");
    }

    #[test]
    fn without_pretty_each_line_is_an_object() {
        let lines = lines(|config| {
            config.debug = true;
            config.logger.pretty = false;
        });
        let first: serde_json::Value = serde_json::from_str(&lines[0]).expect("an object");
        assert_eq!(
            (&first["message"], &first["answer"], &first["level"]),
            (&"small".into(), &42.into(), &"DEBUG".into())
        );
        assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }
}
