//! docs/limits.md says what the code does.

use roomwire_core::{DisconnectReason, ErrorCode, config::ConfigKey};

const PAGE: &str = include_str!("../limits.md");

/// The cells of each row about a key.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let table = PAGE.lines().filter(|line| line.starts_with("| `"));
    table.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_limit_is_listed_with_its_default_what_happens_and_what_is_counted() {
    let of_a_limit = |name: &str| name == "maxConnections" || name.starts_with("limits.");
    let keys: Vec<_> = ConfigKey::all().filter(|key| of_a_limit(key.name())).collect();
    let rows: Vec<_> = rows().collect();
    for (row, key) in rows.iter().zip(&keys) {
        let &[name, default, _, happens, counted] = &row[..] else { panic!("five cells: {row:?}") };
        assert_eq!(name, format!("`{}`", key.name()));
        let value = key.default().map(|value| format!("`{value}`"));
        let expected = value.or(key.default_rule().map(str::to_owned)).expect("a limit has a default");
        assert_eq!(default, expected, "{name}");
        assert!(!happens.is_empty() && counted.contains("_total") | (counted == "as above"), "{name}");
    }
    assert_eq!(rows.len(), keys.len());
}

#[test]
fn its_codes_and_reasons_exist() {
    let codes = ErrorCode::ALL.map(ErrorCode::as_str);
    let reasons = [
        DisconnectReason::ConnectionLost,
        DisconnectReason::IdleTimeout,
        DisconnectReason::MailboxOverflow,
        DisconnectReason::ProtocolError,
        DisconnectReason::RateLimited,
        DisconnectReason::SlowConsumer,
    ]
    .map(DisconnectReason::as_str);
    let mut seen = 0;
    for row in rows() {
        for word in quoted(row[3]).filter(|word| *word != "Retry-After") {
            assert!(codes.contains(&word) || reasons.contains(&word), "{word} of {row:?}");
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn its_counters_and_their_labels_are_those_of_the_code() {
    let metrics = [roomwire_service::METRICS, roomwire_axum_adapter::METRICS].concat();
    let counters: Vec<_> =
        quoted(PAGE).filter(|word| word.starts_with("roomwire_") && word.contains("_total")).collect();
    assert!(counters.len() > 20, "{counters:?}");
    for counter in counters {
        let (name, label) = counter.split_once('{').unwrap_or((counter, ""));
        let metric = metrics.iter().find(|metric| metric.name == name).expect(counter);
        if let Some((key, value)) = label.trim_end_matches('}').split_once('=') {
            let (known, values) = metric.label.expect(counter);
            assert!(known == key && values.contains(&value.trim_matches('"')), "{counter}");
        }
    }
}
