//! Unpaired surrogates, which JavaScript strings may contain and Rust strings may not.
//!
//! `"🎉".slice(0, 1)` is an unpaired surrogate. `JSON.stringify` writes it as an escape, so it reaches the server as
//! ASCII text.

/// Replaces each unpaired surrogate in JSON text by U+FFFD, the replacement character. `None` if there is none.
pub(super) fn replaced(json: &str) -> Option<String> {
    let (mut mended, mut copied, mut position) = (String::new(), 0, 0);
    // Text that is not JSON may end within an escape.
    while let Some(found) = json.get(position..).and_then(|rest| rest.find('\\')) {
        let escape = position + found;
        position = match unit(json, escape) {
            // A pair is one character.
            Some(0xd800..=0xdbff) if matches!(unit(json, escape + UNIT), Some(0xdc00..=0xdfff)) => escape + 2 * UNIT,
            Some(0xd800..=0xdfff) => {
                mended.push_str(&json[copied..escape]);
                mended.push_str("\\ufffd");
                copied = escape + UNIT;
                copied
            }
            Some(_) => escape + UNIT,
            // Another escape, of two ASCII characters.
            None => escape + 2,
        };
    }
    (copied > 0).then(|| mended + &json[copied..])
}

/// The length of an escape such as `\ud83c`.
const UNIT: usize = 6;

/// The UTF-16 code unit of the escape that begins here, if any.
fn unit(json: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(json.get(at..at + UNIT)?.strip_prefix("\\u")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn each_half_is_replaced_and_nothing_else() {
        for (json, mended) in [
            (r#""hi \ud83c""#, Some(r#""hi \ufffd""#)),
            (r#""\uDF89 hi""#, Some(r#""\ufffd hi""#)),
            (r#""\ud83c\ud83c\udf89\udf89""#, Some(r#""\ufffd\ud83c\udf89\ufffd""#)),
            (r#"{"\ud83c":"\ud83c\n"}"#, Some(r#"{"\ufffd":"\ufffd\n"}"#)),
            (r#""\ud83cé""#, Some(r#""\ufffdé""#)),
            (r#""\ud83c\u0041""#, Some(r#""\ufffd\u0041""#)),
            (r#""\ud83c\udf89 🎉 \u00e9""#, None),
            (r#""\\ud83c""#, None),
            (r#""\"\\\\ud83c\/""#, None),
            (r#""plain""#, None),
            ("", None),
        ] {
            assert_eq!(replaced(json).as_deref(), mended, "{json}");
            let whole = mended.unwrap_or(json);
            assert!(whole.is_empty() || serde_json::from_str::<serde_json::Value>(whole).is_ok(), "{whole}");
        }
    }

    #[test]
    fn text_that_is_no_json_does_no_harm() {
        for text in [r"\", r"\u", r"\ud8", r"\ud83c", "\\é", "\\ud83é", r"\ud83c\"] {
            let _ = replaced(text);
        }
    }
}
