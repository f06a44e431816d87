//! Which commands a Redis server gets, and when.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_test_servers::RedisServer;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_util::task::AbortOnDropHandle;

/// Listens to a server (`MONITOR`). What a script calls within the server is no call.
#[derive(Debug)]
pub struct RedisCalls {
    calls: Arc<Mutex<Vec<Call>>>,
    _listens: AbortOnDropHandle<()>,
}

/// One command.
#[derive(Clone, Debug)]
pub struct Call {
    /// When the server got it, by its clock.
    pub at: Duration,
    /// As the server shows it.
    pub text: String,
}

impl RedisCalls {
    /// Begins to listen.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn listen(server: &RedisServer) -> Self {
        let stream = TcpStream::connect(server.address()).await;
        let mut stream = BufReader::new(stream.unwrap_or_else(|error| panic!("{}: {error}", server.url())));
        let mut line = String::new();
        let asked = stream.write_all(b"MONITOR\r\n").await;
        if let (Err(error), _) | (_, Err(error)) = (asked, stream.read_line(&mut line).await) {
            panic!("MONITOR: {error}");
        }
        assert_eq!(line, "+OK\r\n");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = calls.clone();
        let listens = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut lines = stream.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lock().extend(read(&line));
            }
        }));
        Self { calls, _listens: listens }
    }

    /// Those since this was asked the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock())
    }
}

/// How many calls there were in the second that had most.
#[must_use]
pub fn most_in_a_second(calls: &[Call]) -> usize {
    let within = |call: &Call| {
        calls.iter().filter(|other| other.at >= call.at && other.at - call.at < Duration::from_secs(1)).count()
    };
    calls.iter().map(within).max().unwrap_or_default()
}

/// `+1700000000.123456 [0 127.0.0.1:40000] "GET" "key"`
fn read(line: &str) -> Option<Call> {
    let (at, rest) = line.strip_prefix('+')?.split_once(' ')?;
    let (from, text) = rest.split_once("] ")?;
    let at = Duration::try_from_secs_f64(at.parse().ok()?).ok()?;
    (!from.ends_with(" lua")).then(|| Call { at, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Call, most_in_a_second, read};

    #[test]
    fn commands_count_and_what_scripts_do_does_not() {
        let call = read(r#"+1700000000.250000 [0 127.0.0.1:40000] "GET" "a] b""#).expect("a call");
        assert_eq!((call.at, call.text.as_str()), (Duration::from_millis(1_700_000_000_250), r#""GET" "a] b""#));
        assert!(read(r#"+1700000000.250000 [0 lua] "GET" "a""#).is_none());
    }

    #[test]
    fn the_second_with_most_calls_may_begin_at_any_time() {
        let calls: Vec<Call> = [0, 900, 1000, 1100, 1899, 1900, 5000]
            .map(|millis| Call { at: Duration::from_millis(millis), text: String::new() })
            .into();
        assert_eq!(most_in_a_second(&calls), 4);
    }
}
