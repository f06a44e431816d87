//! The largest message that Redis delivers to a subscribed connection.
//!
//! The output buffer of a connection is limited by `client-output-buffer-limit pubsub`. A message above it is not
//! refused: the publisher gets a response, and every subscribed connection of the channel is closed.

use redis::{FromRedisValue, Value};
use roomwire_core::MessageLimit;

use crate::frame;

/// The name of the setting in `CONFIG GET`.
pub(crate) const SETTING: &str = "client-output-buffer-limit";
/// Its default for subscribed connections.
const DEFAULT: OutputBuffer = OutputBuffer { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 };
/// A soft limit with fewer seconds than this counts as hard: transferring a large message takes time.
const TIME_ON_THE_LINE: u64 = 10;
/// The protocol overhead and the channel's name.
const AROUND_MESSAGE: usize = 1024;
const REMEDY: &str =
    "set the hard limit of client-output-buffer-limit pubsub in Redis to 1mb more than twice the payload";

/// The limits of a subscribed connection, in bytes; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputBuffer {
    hard: usize,
    soft: usize,
    soft_seconds: u64,
}

impl OutputBuffer {
    /// Parses the response to `CONFIG GET client-output-buffer-limit`.
    pub(crate) fn read(answer: Value) -> Option<Self> {
        let settings: Vec<(String, String)> = Vec::from_redis_value(answer).ok()?;
        let (_, text) = settings.into_iter().find(|(name, _)| name == SETTING)?;
        let mut words = text.split(' ').skip_while(|word| *word != "pubsub").skip(1);
        Some(Self {
            hard: words.next()?.parse().ok()?,
            soft: words.next()?.parse().ok()?,
            soft_seconds: words.next()?.parse().ok()?,
        })
    }

    /// The largest output buffer; `None` if it is unlimited.
    fn bound(self) -> Option<usize> {
        let soft = if self.soft_seconds < TIME_ON_THE_LINE { self.soft } else { 0 };
        [self.hard, soft].into_iter().filter(|bound| *bound > 0).min()
    }

    /// The largest message whose allocation stays within the limit, with a sixteenth for other data.
    fn largest_message(self) -> Option<usize> {
        let bound = self.bound()?;
        Some(largest_size_class(bound - bound / 16).saturating_sub(AROUND_MESSAGE + frame::HEAD))
    }
}

/// The largest size class of jemalloc up to this size: four for each power of two. A message that is one byte larger
/// counts as much as the next class.
fn largest_size_class(most: usize) -> usize {
    let Some(power) = most.checked_ilog2().filter(|power| *power >= 2) else { return most };
    let quarter = 1 << (power - 2);
    most / quarter * quarter
}

/// The limit of messages between nodes, from the settings of each server; `None` if no server reports it.
pub(crate) fn message_limit(servers: &[(String, Option<OutputBuffer>)]) -> Option<MessageLimit> {
    let limits = servers.iter().filter_map(|(server, told)| {
        let buffer = told.unwrap_or(DEFAULT);
        let bytes = buffer.largest_message()?;
        let OutputBuffer { hard, soft, soft_seconds } = buffer;
        let origin = if told.is_some() { "has" } else { "does not tell its limits, and by default they are" };
        let setting = format!("Redis at {server} {origin} {SETTING} pubsub {hard} {soft} {soft_seconds}");
        Some(MessageLimit { bytes, setting, remedy: REMEDY, is_assumed: told.is_none() })
    });
    limits.min_by_key(|limit| limit.bytes)
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{DEFAULT, OutputBuffer, message_limit};

    fn told(limits: &str) -> Option<OutputBuffer> {
        let [name, text] = ["client-output-buffer-limit", &format!("normal 0 0 0 slave 1 2 3 pubsub {limits}")]
            .map(|text| Value::BulkString(text.as_bytes().to_vec()));
        OutputBuffer::read(Value::Map(vec![(name, text)]))
    }

    #[test]
    fn what_redis_tells_is_read() {
        assert_eq!(told("33554432 8388608 60"), Some(DEFAULT));
        assert_eq!(told("1 2"), None);
        assert_eq!(OutputBuffer::read(Value::Array(Vec::new())), None);
    }

    /// The largest messages that Redis 7.0.15 with jemalloc delivered in a measurement, for these hard limits.
    #[test]
    fn the_largest_message_is_a_little_below_what_redis_passes_on() {
        for (hard, passed_on) in [
            (1 << 20, 933_819),
            (10_000_000, 8_404_922),
            (32 << 20, 29_361_081),
            (40_000_000, 33_555_385),
            (64 << 20, 58_721_209),
        ] {
            let largest = told(&format!("{hard} 0 0")).and_then(OutputBuffer::largest_message).expect("is bounded");
            assert!(largest < passed_on && largest * 100 > passed_on * 87, "{hard}: {largest} of {passed_on}");
        }
    }

    #[test]
    fn a_limit_of_a_megabyte_more_than_twice_the_payload_is_always_enough() {
        for payload in (1024..(64 << 20)).step_by(99_991) {
            let hard = 2 * payload + (1 << 20);
            let largest = told(&format!("{hard} 0 0")).and_then(OutputBuffer::largest_message).expect("is bounded");
            assert!(largest >= payload + roomwire_core::MessageLimit::AROUND_PAYLOAD, "{payload}: {largest}");
        }
    }

    #[test]
    fn the_documented_payloads_are_those_that_fit() {
        let page = include_str!("../../../docs/limits.md");
        let is_row = |line: &&str| {
            line.strip_prefix("| ").is_some_and(|rest| rest.split(' ').next().unwrap_or("").contains("mb"))
        };
        let mut rows = 0;
        for row in page.lines().filter(is_row) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let number = |text: &str| -> usize {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                digits.parse().expect("a number")
            };
            let hard = number(cells[1]) << 20;
            let buffer = told(&format!("{hard} 8388608 60"));
            let limit = message_limit(&[("a:1".to_owned(), buffer)]).expect("is bounded");
            assert_eq!(limit.payload().min(64 << 20), number(cells[2]), "{row}");
            rows += 1;
        }
        assert_eq!(rows, 4);
    }

    #[test]
    fn a_soft_limit_counts_only_when_it_holds_for_moments() {
        let bound = |limits: &str| told(limits).expect("reads").bound();
        assert_eq!(bound("33554432 8388608 60"), Some(33_554_432));
        assert_eq!(bound("33554432 8388608 0"), Some(8_388_608));
        assert_eq!(bound("0 8388608 60"), None);
        assert_eq!(bound("0 0 0"), None);
    }

    #[test]
    fn the_smallest_limit_of_all_servers_counts_and_the_default_where_one_does_not_tell() {
        let servers =
            [("a:1".to_owned(), told("0 0 0")), ("b:2".to_owned(), None), ("c:3".to_owned(), told("67108864 0 0"))];
        let limit = message_limit(&servers).expect("is bounded");
        assert!(limit.is_assumed && limit.setting.contains("b:2"), "{limit:?}");
        assert_eq!(limit.payload(), 29_293_558);
        assert_eq!(message_limit(&servers[..1]), None);
    }
}
