//! JSON of a packet as text: validated once, then split without building values.

use bytestring::ByteString;
use serde::de::IgnoredAny;

use super::PacketError;
use crate::{Payload, payload::string_end};

/// Validates one JSON value and returns it without surrounding whitespace.
///
/// Needs no stack for nested values: `serde_json` skips a value in a loop, with one byte of memory a level.
pub(super) fn validated(text: &str) -> Result<&str, PacketError> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text.trim_ascii()),
        Err(_) => Err(PacketError::InvalidJson),
    }
}

/// Splits the elements of an array into the first and those behind it; `array` is valid JSON without brackets.
pub(super) fn split_first(elements: &str) -> (&str, &str) {
    let end = if elements.starts_with('"') {
        string_end(elements)
    } else {
        elements.find(|character: char| character == ',' || character.is_ascii_whitespace()).unwrap_or(elements.len())
    };
    let (first, rest) = elements.split_at(end);
    let rest = rest.trim_ascii_start();
    (first, rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start())
}

/// Decodes a string, which shares the bytes of `text` unless it has escapes. `quoted` is a valid JSON string in `text`.
///
/// A lone surrogate becomes U+FFFD.
pub(super) fn decode_string(text: &ByteString, quoted: &str) -> Option<ByteString> {
    let content = &quoted[1..quoted.len() - 1];
    if !content.contains('\\') {
        return Some(text.slice_ref(content));
    }
    let decoded = Payload::from_encoded(text.slice_ref(quoted), Vec::new()).decode::<String>();
    decoded.ok().map(ByteString::from)
}

/// Appends text as a JSON string.
pub(super) fn push_string(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::{PacketError, decode_string, push_string, split_first, validated};

    #[test]
    fn only_whole_json_values_are_valid() {
        for (text, value) in [("[1]", "[1]"), (" \t{} \r\n", "{}"), (r#"["\ud83c",1e999]"#, r#"["\ud83c",1e999]"#)] {
            assert_eq!(validated(text), Ok(value));
        }
        for text in ["", " ", "[1]x", "[1],", "[1,]", "[", "{\"a\"}", "[01]", "['a']", "[\"\t\"]", "[\u{a0}1]", "[NaN]"]
        {
            assert_eq!(validated(text), Err(PacketError::InvalidJson), "{text:?}");
        }
    }

    #[test]
    fn a_million_levels_need_no_stack() {
        let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(validated(&deep), Ok(&*deep));
        assert_eq!(validated(&deep[1..]), Err(PacketError::InvalidJson));
    }

    #[test]
    fn the_first_element_ends_where_json_says() {
        for (elements, parts) in [
            (r#""a""#, (r#""a""#, "")),
            (r#""a",1,[2]"#, (r#""a""#, "1,[2]")),
            (r#""a" , {"b":1} , null"#, (r#""a""#, r#"{"b":1} , null"#)),
            (r#""a\",b\\",1"#, (r#""a\",b\\""#, "1")),
            ("-5 ,1", ("-5", "1")),
            ("5", ("5", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_first(elements), parts, "{elements}");
        }
    }

    #[test]
    fn strings_are_decoded_and_encoded_again() {
        for (quoted, decoded, encoded) in [
            (r#""plain""#, "plain", r#""plain""#),
            (r#""""#, "", r#""""#),
            (r#""room\/join""#, "room/join", r#""room/join""#),
            (r#""gr\u00f6\u00DFe""#, "größe", r#""größe""#),
            (r#""\ud83c\udf89""#, "🎉", r#""🎉""#),
            (r#""a\ud83cb""#, "a\u{fffd}b", "\"a\u{fffd}b\""),
            (r#""\"\\\n\u0001""#, "\"\\\n\u{1}", r#""\"\\\n\u0001""#),
        ] {
            let text = quoted.to_owned().into();
            assert_eq!(decode_string(&text, &text).as_deref(), Some(decoded), "{quoted}");
            let mut json = String::new();
            push_string(&mut json, decoded);
            assert_eq!(json, encoded);
        }
    }
}
