//! One setting of a configuration, with its validation rule.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use config::{Value, ValueKind};
use ipnet::IpNet;

use super::{Algorithm, LogLevel, Secret, Transport, lists};
use crate::NodeId;

/// A field of a [`WebSocketConfig`](super::WebSocketConfig) and its rule.
///
/// The description of the rule, the conversion and the check are side by side, so that they stay consistent.
pub(super) enum Field<'a> {
    Switch(&'a mut bool),
    Count {
        field: &'a mut dyn Whole,
        unit: &'static str,
        range: RangeInclusive<u64>,
    },
    /// A whole number with a default that this rule derives from another key.
    Derived {
        field: &'a mut Option<u32>,
        range: RangeInclusive<u64>,
        rule: &'static str,
    },
    Millis {
        field: &'a mut Duration,
        range: RangeInclusive<u64>,
    },
    Address(&'a mut IpAddr),
    Path(&'a mut String),
    Transports(&'a mut Vec<Transport>),
    Level(&'a mut LogLevel),
    Node(&'a mut Option<NodeId>),
    Urls(&'a mut Vec<String>),
    Text {
        field: &'a mut Option<String>,
        most: usize,
    },
    Secret {
        field: &'a mut Option<Secret>,
        most: usize,
    },
    /// A secret that is sent in a header and cannot be guessed.
    Token(&'a mut Option<Secret>),
    Prefix(&'a mut String),
    Name(&'a mut String),
    Pem(&'a mut Option<String>),
    Words(&'a mut Vec<String>),
    Origins(&'a mut Vec<String>),
    Networks(&'a mut Vec<IpNet>),
    Algorithms(&'a mut Vec<Algorithm>),
}

impl<'a> Field<'a> {
    pub(super) fn count(field: &'a mut dyn Whole, range: RangeInclusive<u64>) -> Self {
        Self::Count { field, unit: "", range }
    }

    pub(super) fn bytes(field: &'a mut dyn Whole, range: RangeInclusive<u64>) -> Self {
        Self::Count { field, unit: " of bytes", range }
    }

    pub(super) fn millis(field: &'a mut Duration, range: RangeInclusive<u64>) -> Self {
        Self::Millis { field, range }
    }

    pub(super) fn text(field: &'a mut Option<String>, most: usize) -> Self {
        Self::Text { field, most }
    }

    pub(super) fn secret(field: &'a mut Option<Secret>, most: usize) -> Self {
        Self::Secret { field, most }
    }

    /// The allowed values, as words that follow "expected".
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Switch(_) => "true or false".to_owned(),
            Self::Count { unit, range, .. } => {
                format!("a whole number{unit} from {} to {}", range.start(), range.end())
            }
            Self::Derived { range, .. } => format!("a whole number from {} to {}", range.start(), range.end()),
            Self::Millis { range, .. } => {
                format!("a whole number of milliseconds from {} to {}", range.start(), range.end())
            }
            Self::Address(_) => "an IP address such as 127.0.0.1, 0.0.0.0 or ::1".to_owned(),
            Self::Path(_) => "a URL path such as /socket.io, with / in front, none at the end, and no query".to_owned(),
            Self::Transports(_) => format!("a list of {}, at least one, none twice", Transport::words("and")),
            Self::Level(_) => LogLevel::words("or"),
            Self::Node(_) => text_allowed(NodeId::MAX_BYTES),
            Self::Text { most, .. } | Self::Secret { most, .. } => text_allowed(*most),
            Self::Token(_) => format!(
                "text of {SHORTEST_TOKEN} to {LONGEST_TOKEN} printable ASCII characters without spaces"
            ),
            Self::Urls(_) => "a list of URLs, each a scheme, :// and an address, none twice".to_owned(),
            Self::Name(_) => text_allowed(lists::LONGEST_WORD),
            Self::Pem(_) => "text that begins with -----BEGIN".to_owned(),
            Self::Words(_) => format!("a list of texts of 1 to {} bytes, none twice", lists::LONGEST_WORD),
            Self::Origins(_) => {
                "a list of origins such as https://app.example.com (no path and no slash at the end, no port 80 or 443), none twice, or * alone for all".to_owned()
            }
            Self::Networks(_) => "a list of IP addresses or networks such as 10.0.0.0/8, none twice".to_owned(),
            Self::Algorithms(_) => format!("a list of {}, none twice", Algorithm::words("and")),
            Self::Prefix(_) => format!("text of 1 to {LONGEST_PREFIX} letters A to Z or a to z, digits and _ . : -"),
        }
    }

    /// The current value, as in a file.
    pub(super) fn value(&self) -> ValueKind {
        match self {
            Self::Switch(field) => ValueKind::Boolean(**field),
            Self::Count { field, .. } => ValueKind::U64(field.get()),
            Self::Derived { field, .. } => (**field).map(u64::from).into(),
            Self::Millis { field, .. } => match u64::try_from(field.as_millis()) {
                Ok(whole) if Duration::from_millis(whole) == **field => ValueKind::U64(whole),
                _ => ValueKind::Float(field.as_secs_f64() * 1000.0),
            },
            Self::Address(field) => ValueKind::String(field.to_string()),
            Self::Path(field) => ValueKind::String((*field).clone()),
            Self::Transports(field) => {
                ValueKind::Array(field.iter().map(|transport| transport.as_str().into()).collect())
            }
            Self::Level(field) => ValueKind::String(field.as_str().to_owned()),
            Self::Node(field) => field.as_ref().map(|node| node.as_str().to_owned()).into(),
            Self::Urls(field) => ValueKind::Array(field.iter().map(|url| url.as_str().into()).collect()),
            Self::Text { field, .. } => (**field).clone().into(),
            Self::Secret { field, .. } | Self::Token(field) => {
                field.as_ref().map(|secret| secret.expose().to_owned()).into()
            }
            Self::Prefix(field) | Self::Name(field) => ValueKind::String((*field).clone()),
            Self::Pem(field) => (**field).clone().into(),
            Self::Words(field) | Self::Origins(field) => lists::value(field.iter()),
            Self::Networks(field) => lists::value(field.iter()),
            Self::Algorithms(field) => lists::value(field.iter()),
        }
    }

    /// Converts the text of a variable to the type of this setting. Text that does not convert is returned unchanged,
    /// and [`take`](Self::take) rejects it.
    pub(super) fn value_of_text(&self, text: &str) -> ValueKind {
        let typed = match self {
            Self::Switch(_) => text.parse().ok().map(ValueKind::Boolean),
            // Digits only: `parse` alone would also accept a sign.
            Self::Count { .. } | Self::Derived { .. } | Self::Millis { .. }
                if text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                text.parse().ok().map(ValueKind::U64)
            }
            // An empty list is a valid value and has no other spelling.
            Self::Urls(_) | Self::Words(_) | Self::Origins(_) | Self::Networks(_) | Self::Algorithms(_)
                if text.is_empty() =>
            {
                Some(ValueKind::Array(Vec::new()))
            }
            Self::Transports(_)
            | Self::Urls(_)
            | Self::Words(_)
            | Self::Origins(_)
            | Self::Networks(_)
            | Self::Algorithms(_) => Some(ValueKind::Array(text.split(',').map(|word| word.trim().into()).collect())),
            _ => None,
        };
        typed.unwrap_or_else(|| ValueKind::String(text.to_owned()))
    }

    /// Sets the largest allowed value of a number.
    pub(super) fn widen(self) {
        let most = match &self {
            Self::Count { range, .. } | Self::Derived { range, .. } | Self::Millis { range, .. } => {
                ValueKind::U64(*range.end())
            }
            _ => return,
        };
        self.take(&most);
    }

    /// Whether the value is the largest allowed number.
    pub(super) fn is_widest(&self) -> bool {
        match self {
            Self::Count { field, range, .. } => field.get() == *range.end(),
            Self::Derived { field, range, .. } => (**field).map(u64::from) == Some(*range.end()),
            Self::Millis { field, range } => **field == Duration::from_millis(*range.end()),
            _ => false,
        }
    }

    /// Sets a value. Returns false, and changes nothing, if it is not allowed.
    pub(super) fn take(self, value: &ValueKind) -> bool {
        match (self, value) {
            (Self::Switch(field), ValueKind::Boolean(value)) => put(field, Some(*value)),
            (Self::Count { field, range, .. }, value) => {
                whole(value).filter(|value| range.contains(value)).is_some_and(|value| field.set(value))
            }
            (Self::Derived { field, .. }, ValueKind::Nil) => put(field, Some(None)),
            (Self::Derived { field, range, .. }, value) => {
                let number = whole(value).filter(|value| range.contains(value));
                put(field, number.and_then(|number| number.try_into().ok()).map(Some))
            }
            (Self::Millis { field, range }, value) => {
                put(field, whole(value).filter(|value| range.contains(value)).map(Duration::from_millis))
            }
            (Self::Address(field), ValueKind::String(text)) => put(field, text.parse().ok()),
            (Self::Path(field), ValueKind::String(text)) => put(field, is_path(text).then(|| text.clone())),
            (Self::Transports(field), ValueKind::Array(words)) => put(field, transports(words)),
            (Self::Level(field), ValueKind::String(word)) => put(field, LogLevel::from_word(word)),
            (Self::Node(field), ValueKind::Nil) => put(field, Some(None)),
            (Self::Node(field), ValueKind::String(name)) => put(field, NodeId::new(name).ok().map(Some)),
            (Self::Urls(field), ValueKind::Array(items)) => put(field, urls(items)),
            (Self::Text { field, .. }, ValueKind::Nil) => put(field, Some(None)),
            (Self::Text { field, most }, ValueKind::String(text)) => {
                put(field, is_text(text, most).then(|| Some(text.clone())))
            }
            (Self::Secret { field, .. }, ValueKind::Nil) => put(field, Some(None)),
            (Self::Secret { field, most }, ValueKind::String(text)) => {
                put(field, is_text(text, most).then(|| Some(text.as_str().into())))
            }
            (Self::Token(field), ValueKind::Nil) => put(field, Some(None)),
            (Self::Token(field), ValueKind::String(text)) => {
                put(field, is_token(text).then(|| Some(text.as_str().into())))
            }
            (Self::Prefix(field), ValueKind::String(text)) => put(field, is_prefix(text).then(|| text.clone())),
            (Self::Name(field), ValueKind::String(text)) => {
                put(field, is_text(text, lists::LONGEST_WORD).then(|| text.clone()))
            }
            (Self::Pem(field), ValueKind::Nil) => put(field, Some(None)),
            (Self::Pem(field), ValueKind::String(text)) => put(field, lists::is_pem(text).then(|| Some(text.clone()))),
            (Self::Words(field), ValueKind::Array(items)) => put(field, lists::words(items)),
            (Self::Origins(field), ValueKind::Array(items)) => put(field, lists::origins(items)),
            (Self::Networks(field), ValueKind::Array(items)) => put(field, lists::networks(items)),
            (Self::Algorithms(field), ValueKind::Array(items)) => put(field, lists::algorithms(items)),
            _ => false,
        }
    }
}

/// A whole number of any width.
pub(super) trait Whole {
    fn get(&self) -> u64;

    /// Returns false, and changes nothing, if the number does not fit.
    fn set(&mut self, value: u64) -> bool;
}

macro_rules! whole {
    ($($number:ty),+) => {
        $(impl Whole for $number {
            fn get(&self) -> u64 {
                u64::try_from(*self).unwrap_or(u64::MAX)
            }

            fn set(&mut self, value: u64) -> bool {
                put(self, Self::try_from(value).ok())
            }
        })+
    };
}

whole!(u16, u32, usize);

fn put<T>(field: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *field = value;
            true
        }
        None => false,
    }
}

fn whole(value: &ValueKind) -> Option<u64> {
    match *value {
        ValueKind::I64(value) => u64::try_from(value).ok(),
        ValueKind::I128(value) => u64::try_from(value).ok(),
        ValueKind::U64(value) => Some(value),
        ValueKind::U128(value) => u64::try_from(value).ok(),
        _ => None,
    }
}

fn transports(words: &[Value]) -> Option<Vec<Transport>> {
    let mut transports = Vec::new();
    for word in words {
        let ValueKind::String(word) = &word.kind else { return None };
        let transport = Transport::from_word(word).filter(|transport| !transports.contains(transport))?;
        transports.push(transport);
    }
    (!transports.is_empty()).then_some(transports)
}

/// Whether clients can ask for exactly this path: they would percent-encode any other character.
fn is_path(text: &str) -> bool {
    let is_path_character =
        |character: char| character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(character);
    text.starts_with('/') && !text.ends_with('/') && text.chars().all(is_path_character)
}

/// The longest prefix, in bytes.
const LONGEST_PREFIX: usize = 64;

fn is_prefix(text: &str) -> bool {
    let is_prefix_character = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=LONGEST_PREFIX).contains(&text.len()) && text.bytes().all(is_prefix_character)
}

/// The length of a token, in bytes. Shorter ones could be guessed.
const SHORTEST_TOKEN: usize = 16;
const LONGEST_TOKEN: usize = 1024;

/// Whether a header carries exactly this text.
fn is_token(text: &str) -> bool {
    (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn text_allowed(most: usize) -> String {
    format!("text of 1 to {most} bytes without control characters")
}

pub(super) fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn urls(items: &[Value]) -> Option<Vec<String>> {
    let mut urls = Vec::new();
    for item in items {
        let ValueKind::String(url) = &item.kind else { return None };
        if !is_url(url) || urls.contains(url) {
            return None;
        }
        urls.push(url.clone());
    }
    Some(urls)
}

/// Whether the text looks like a URL. The backend that connects to it checks the scheme and the address.
fn is_url(text: &str) -> bool {
    let has_scheme = text.split_once("://").is_some_and(|(scheme, address)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
            && !address.is_empty()
    });
    has_scheme && !text.chars().any(|character| character.is_control() || character.is_whitespace())
}
