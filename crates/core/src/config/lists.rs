//! Settings that are validated lists of words.

use std::{fmt::Display, net::IpAddr};

use config::{Value, ValueKind};
use ipnet::IpNet;

use super::{Algorithm, field::is_text};

/// The longest name or word, in bytes.
pub(super) const LONGEST_WORD: usize = 256;

/// The origin that stands for all origins.
pub(super) const ANY_ORIGIN: &str = "*";

/// A list as in a file.
pub(super) fn value(items: impl Iterator<Item = impl Display>) -> ValueKind {
    ValueKind::Array(items.map(|item| item.to_string().into()).collect())
}

/// Texts of any kind.
pub(super) fn words(items: &[Value]) -> Option<Vec<String>> {
    each(items, |word| is_text(word, LONGEST_WORD).then(|| word.to_owned()))
}

/// Origins as browsers send them, or `*`.
pub(super) fn origins(items: &[Value]) -> Option<Vec<String>> {
    let origins = each(items, |word| (word == ANY_ORIGIN || is_origin(word)).then(|| word.to_owned()))?;
    let all = origins.iter().any(|origin| origin == ANY_ORIGIN);
    (!all || origins.len() == 1).then_some(origins)
}

/// Networks; an address is a network of one.
pub(super) fn networks(items: &[Value]) -> Option<Vec<IpNet>> {
    each(items, |word| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from)))
}

pub(super) fn algorithms(items: &[Value]) -> Option<Vec<Algorithm>> {
    each(items, Algorithm::from_word)
}

pub(super) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ") && text.len() <= 65_536
}

/// Browsers send an origin in one form only: scheme and host in lower case, no path, no default port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let plain = !text.chars().any(|character| character.is_control() || character.is_whitespace());
    let in_one_way = !host.contains(['/', '?', '#', '@', '*']) && text.bytes().all(|byte| !byte.is_ascii_uppercase());
    let default_port = matches!(scheme, "http") && host.ends_with(":80") || scheme == "https" && host.ends_with(":443");
    plain && in_one_way && !default_port && !host.is_empty() && !scheme.is_empty() && text.is_ascii()
}

fn each<T: PartialEq>(items: &[Value], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let ValueKind::String(word) = &item.kind else { return None };
        let value = read(word).filter(|value| !found.contains(value))?;
        found.push(value);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use config::Value;

    use super::{networks, origins};

    fn items(words: &[&str]) -> Vec<Value> {
        words.iter().map(|word| Value::from(*word)).collect()
    }

    #[test]
    fn origins_are_spelled_as_browsers_send_them() {
        for allowed in [&["https://app.example.com", "http://localhost:8080"][..], &["*"], &["http://[::1]:3000"], &[]]
        {
            assert_eq!(origins(&items(allowed)).expect("allowed"), allowed);
        }
        for refused in [
            &["https://app.example.com/"][..],
            &["https://App.example.com"],
            &["https://app.example.com:443"],
            &["http://app.example.com:80"],
            &["app.example.com"],
            &["null"],
            &["https://*.example.com"],
            &["*", "https://app.example.com"],
            &["https://a.example", "https://a.example"],
        ] {
            assert_eq!(origins(&items(refused)), None, "{refused:?}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        let found = networks(&items(&["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"])).expect("allowed");
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "fd00::/8"]);
        assert_eq!(networks(&items(&["10.0.0.0/33"])), None);
        assert_eq!(networks(&items(&["proxy"])), None);
    }
}
