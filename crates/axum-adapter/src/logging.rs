//! Logging, as `logger` and `debug` configure it.

use std::io::IsTerminal;

use roomwire_core::{WebSocketConfig, config::LogLevel};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Writes logs to standard error: Roomwire's from `logger.level` on (`debug: true` means `debug`), all others from
/// `warn` on. `logger.pretty` selects human-readable lines; otherwise each line is JSON.
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
/// Does nothing, and returns false, if the process has a logger already.
pub fn init(config: &WebSocketConfig) -> bool {
    let levels = std::env::var("RUST_LOG").ok();
    logger(config, levels.as_deref(), std::io::stderr, std::io::stderr().is_terminal()).try_init().is_ok()
}

/// Libraries of other Socket.IO servers in the process, which log every packet unredacted.
const CARRIERS: [&str; 2] = ["engineioxide", "socketioxide"];

fn logger<W>(config: &WebSocketConfig, levels: Option<&str>, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = if config.debug { LogLevel::Debug } else { config.logger.level };
    let silent = CARRIERS.map(|carrier| format!("{carrier}=off,")).concat();
    let levels = levels.filter(|levels| !levels.trim().is_empty());
    let levels = levels.map_or_else(|| format!("warn,roomwire={level}"), str::to_owned);
    let filter = EnvFilter::new(format!("{silent}{levels}"));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if config.logger.pretty {
        lines.with_ansi(colours).boxed()
    } else {
        lines.with_ansi(false).json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry().with(lines.with_filter(filter))
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
        let mut config = WebSocketConfig::default();
        set(&mut config);
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(logger(&config, levels, move || writer.clone(), false), || {
            tracing::debug!(target: "roomwire", answer = 42, "small");
            tracing::info!(target: "roomwire", "middle");
            tracing::info!(target: "somebody_else", "theirs");
            tracing::error!(target: "roomwire", "large");
        });
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
    fn rust_log_replaces_the_levels_of_the_configuration() {
        assert_eq!(lines_at(Some("debug"), |_| {}).len(), 4, "of others too");
        assert_eq!(lines_at(Some("roomwire=error"), |config| config.debug = true).len(), 1);
        assert_eq!(lines_at(Some(" "), |_| {}).len(), 2, "empty is not set");
        let written = Written::default();
        let writer = written.clone();
        let config = WebSocketConfig::default();
        let levels = Some("trace,engineioxide=error");
        tracing::subscriber::with_default(logger(&config, levels, move || writer.clone(), false), || {
            tracing::error!(target: "socketioxide::client", "packet");
            tracing::error!(target: "engineioxide", "asked for");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        assert!(text.contains("asked for") && !text.contains("packet"), "{text}");
    }

    #[test]
    fn who_carries_messages_is_silent_at_every_level() {
        let written = Written::default();
        let writer = written.clone();
        let config = WebSocketConfig { debug: true, ..WebSocketConfig::default() };
        tracing::subscriber::with_default(logger(&config, None, move || writer.clone(), false), || {
            tracing::error!(target: "socketioxide::client", "packet");
            tracing::error!(target: "engineioxide", "packet");
            tracing::trace!(target: "hyper::proto", "packet");
            tracing::error!(target: "socketioxide_core::parser", "packet");
            tracing::error!(target: "somebody_else", "theirs");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        assert!(text.contains("theirs") && !text.contains("packet"), "{text}");
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
