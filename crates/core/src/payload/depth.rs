//! Measures how deep JSON is nested, without parsing it.
//!
//! A JSON parser that builds values needs stack or memory for each level. This check scans each byte once with constant
//! memory, so text of any depth is rejected before it is parsed.

/// Whether arrays and objects are nested in each other more than `most` deep. Brackets in strings do not count.
///
/// The result for text that is not JSON is unspecified.
pub(super) fn is_deeper(text: &str, most: usize) -> bool {
    // Nearly all text has fewer brackets than allowed levels, and counting bytes is much faster than branching.
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= most {
        return false;
    }
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

/// Continues after the quote that ends the string.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            // The next byte cannot end the string: it is a quote, a second backslash, or the start of a longer escape.
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_deeper;

    fn depth(text: &str) -> usize {
        (0..).find(|most| !is_deeper(text, *most)).expect("some depth")
    }

    /// Computes the depth by building the value.
    fn depth_of(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or_default(),
            serde_json::Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or_default(),
            _ => 0,
        }
    }

    #[test]
    fn depth_is_that_of_the_value() {
        for text in [
            "1",
            r#""a""#,
            "[]",
            "[[],[[]],[]]",
            r#"{"a":{"b":[1,{"c":null}]},"d":[]}"#,
            r#"["[[[[",{"]]]]":"}}}}"},"{{"]"#,
            r#"["\"[[[","\\",["\\\"[",[]]]"#,
            r#"["\u005b[\\",[[]]]"#,
            r#"{"[{\"[":["ä[{"]}"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(text).expect(text);
            assert_eq!(depth(text), depth_of(&value), "{text}");
        }
    }

    #[test]
    fn arguments_beside_each_other_are_not_nested() {
        assert_eq!(depth(r#"[1],{"a":[]},"x""#), 2);
        assert_eq!(depth(""), 0);
    }

    #[test]
    fn a_bound_holds_exactly() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_deeper(&nested(32), 32));
        assert!(is_deeper(&nested(33), 32));
    }

    #[test]
    fn millions_of_levels_and_text_that_is_no_json_are_told_without_harm() {
        assert!(is_deeper(&"[".repeat(64 << 20), 120));
        assert!(is_deeper(&r#"{"a":"#.repeat(1 << 20), 120));
        for text in ["]]]]", "\"", "\"\\", "[\"[", "}[{]", "\\\"["] {
            assert!(!is_deeper(text, 3), "{text}");
        }
    }
}
