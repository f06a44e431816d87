//! The position in a distributed trace, as text.

use std::fmt;

/// A `traceparent` of [W3C Trace Context](https://www.w3.org/TR/trace-context/): the ids of a trace and of a span in it.
///
/// ```
/// use roomwire_core::TraceParent;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// assert_eq!(TraceParent::parse(text).map(|parent| parent.to_string()).as_deref(), Some(text));
/// assert_eq!(TraceParent::parse("not a trace"), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TraceParent(Box<str>);

impl TraceParent {
    /// The longest text that is accepted, in bytes. Version 00 has 55; a later version may append more.
    pub const MAX_BYTES: usize = 128;

    /// The length of version 00.
    const LENGTH: usize = 55;

    /// Checks a text. `None` if it is not valid, or all of an id is zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES || !text.is_ascii() || text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (head, rest) = text.split_at_checked(Self::LENGTH)?;
        let mut parts = head.split('-');
        let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let is_complete = match version {
            "00" => rest.is_empty(),
            "ff" => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let is_id = |id: &str, length| is_hex(id, length) && id.bytes().any(|digit| digit != b'0');
        let is_valid = is_complete
            && parts.next().is_none()
            && is_hex(version, 2)
            && is_id(trace, 32)
            && is_id(span, 16)
            && is_hex(flags, 2);
        is_valid.then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn valid_texts_are_kept_and_others_refused() {
        let later = format!("cc{}-what-the-future-will-be-like", &VALID[2..]);
        for valid in [VALID, &later] {
            assert_eq!(TraceParent::parse(valid).expect("valid").as_str(), valid);
        }
        let invalid = [
            String::new(),
            VALID[..54].to_owned(),
            format!("{VALID}-more"),
            format!("ff{}", &VALID[2..]),
            format!("cc{}more", &VALID[2..]),
            VALID.to_uppercase(),
            VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            VALID.replace('-', "_"),
            VALID.replace("b7ad6b7169203331-01", "b7ad6b7169203331-0-"),
            format!("cc{}-{}", &VALID[2..], "x".repeat(128)),
            format!("cc{}-\n", &VALID[2..]),
            format!("cc{}-é", &VALID[2..]),
            "é".repeat(28),
        ];
        for invalid in invalid {
            assert_eq!(TraceParent::parse(&invalid), None, "{invalid}");
        }
    }
}
