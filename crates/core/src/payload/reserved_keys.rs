//! Keys that `serde_json` reserves for its own types.
//!
//! An object with the key of `RawValue` is text that a `serde_json::Value` parses as further JSON, with a nesting limit
//! of its own. Such texts within each other would overflow the stack, and no limit of nesting sees them in a string.

use super::json_string::string_end;

/// What the keys begin with.
pub(super) const PREFIX: &str = "$serde_json::private::";

/// Whether an object in JSON text has a reserved key, however the key is escaped.
pub(super) fn has_any(json: &str) -> bool {
    // Most text has neither, and no key is reserved without one.
    if !json.bytes().any(|byte| matches!(byte, b'$' | b'\\')) {
        return false;
    }
    let mut rest = json;
    while let Some(begin) = rest.find('"') {
        let (string, after) = rest[begin..].split_at(string_end(&rest[begin..]));
        if after.trim_ascii_start().starts_with(':') && is_reserved(string) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_reserved(quoted: &str) -> bool {
    if !quoted.contains('\\') {
        return quoted[1..].starts_with(PREFIX);
    }
    // A key with a lone surrogate, which fails here, is not one of them.
    serde_json::from_str::<String>(quoted).is_ok_and(|key| key.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::has_any;

    #[test]
    fn a_reserved_key_is_found_however_it_is_written() {
        for json in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"1,[{"a":{ "$serde_json::private::Number" : "1"}}]"#,
            r#"{"\u0024serde_json::private::RawValue":"1"}"#,
            r#"{"a\\":"\"","$serde_json::priv\u0061te::RawValue" :"1"}"#,
        ] {
            assert!(has_any(json), "{json}");
        }
    }

    #[test]
    fn other_keys_and_texts_are_not_reserved() {
        for json in [
            "",
            "1",
            r#""$serde_json::private::RawValue""#,
            r#"{"a":"$serde_json::private::RawValue"}"#,
            r#"{"a":"{\"$serde_json::private::RawValue\":1}"}"#,
            r#"{"$price":1,"\ud83c":2,"a\n":3}"#,
            r#"{"$serde_json":1}"#,
            "\"",
            "\"\\",
            r#"{"$"#,
        ] {
            assert!(!has_any(json), "{json}");
        }
    }
}
