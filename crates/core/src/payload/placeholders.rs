//! Placeholders of a binary packet: `{"_placeholder":true,"num":0}` stands for the first attachment.
//!
//! Receivers replace placeholders and end their connection at one without an attachment, so a client could disconnect
//! the other members of its room. They recognise a placeholder however its keys are escaped; so does this check.

use super::json_string::string_end;

/// Whether a placeholder in valid JSON is for none of `attachments` attachments.
///
/// An attachment may have several placeholders or none, as in the official parser. Builds no values.
pub(super) fn lack_attachment(json: &str, attachments: usize) -> bool {
    let mut open: Vec<Container<'_>> = Vec::new();
    let mut rest = json;
    while let Some(byte) = rest.bytes().next() {
        let length = match byte {
            b'"' => string_end(rest),
            b',' | b':' | b'[' | b']' | b'{' | b'}' => 1,
            _ if byte.is_ascii_whitespace() => 1,
            _ => rest
                .bytes()
                .take_while(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace())
                .count(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match byte {
            b',' | b':' => {}
            _ if byte.is_ascii_whitespace() => {}
            b']' | b'}' => {
                if open.pop().is_some_and(|closed| closed.lacks_attachment(attachments)) {
                    return true;
                }
            }
            b'"' if rest.trim_ascii_start().starts_with(':') => {
                if let Some(object) = open.last_mut() {
                    object.key = Key::of(token);
                }
            }
            _ => {
                if let Some(container) = open.last_mut() {
                    container.set(token);
                }
                if matches!(byte, b'[' | b'{') {
                    open.push(Container::default());
                }
            }
        }
    }
    false
}

/// An array or object that is not closed yet. The last of equal keys counts, as in JavaScript.
#[derive(Default)]
struct Container<'a> {
    /// The key of the value that comes next. Arrays have none.
    key: Key,
    is_placeholder: bool,
    /// First token of the value of `num`.
    number: Option<&'a str>,
}

#[derive(Clone, Copy, Default)]
enum Key {
    Placeholder,
    Number,
    #[default]
    Other,
}

impl<'a> Container<'a> {
    fn set(&mut self, value: &'a str) {
        match self.key {
            Key::Placeholder => self.is_placeholder = value == "true",
            Key::Number => self.number = Some(value),
            Key::Other => {}
        }
    }

    fn lacks_attachment(&self, attachments: usize) -> bool {
        let number = self.number.and_then(|number| number.parse::<usize>().ok());
        self.is_placeholder && number.is_none_or(|number| number >= attachments)
    }
}

impl Key {
    fn of(quoted: &str) -> Self {
        match quoted {
            r#""_placeholder""# => Self::Placeholder,
            r#""num""# => Self::Number,
            // Neither key has a character beyond ASCII, so a lone surrogate, which fails here, is in none of them.
            _ if quoted.contains('\\') => match serde_json::from_str::<String>(quoted).as_deref() {
                Ok("_placeholder") => Self::Placeholder,
                Ok("num") => Self::Number,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lack_attachment;

    #[test]
    fn placeholders_with_an_attachment_pass() {
        for json in [
            r#"{"_placeholder":true,"num":0}"#,
            r#"{ "num" : 1 , "_placeholder" : true }"#,
            r#"{"a":[{"_placeholder":true,"num":1}]},"x",{"_placeholder":true,"num":0}"#,
            // The same attachment twice, none at all, and keys beyond those of a placeholder.
            r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}"#,
            "1,[],{}",
            r#"{"_placeholder":true,"num":1,"name":"file"}"#,
            // The last of equal keys counts.
            r#"{"_placeholder":true,"num":9,"num":1}"#,
            r#"{"_placeholder":true,"num":9,"_placeholder":false}"#,
            r#"{"_placeholder":true,"num":9,"_placeholder":[true]}"#,
        ] {
            assert!(!lack_attachment(json, 2), "{json}");
        }
    }

    #[test]
    fn what_only_looks_like_a_placeholder_passes() {
        for json in [
            r#"{"_placeholder":false,"num":9}"#,
            r#"{"_placeholder":"true","num":9}"#,
            r#"{"_placeholder":1,"num":9}"#,
            r#"{"_placeholder":{"x":true},"num":9}"#,
            r#""_placeholder",true,"num",9"#,
            r#"["_placeholder",true]"#,
            r#"{"a":"{\"_placeholder\":true,\"num\":9}"}"#,
            r#"{"_placeholder ":true,"num":9}"#,
            r#"{"\ud83c_placeholder":true,"num":9}"#,
            r#"{"a":{"b":[true,9]},"num":9}"#,
        ] {
            assert!(!lack_attachment(json, 2), "{json}");
        }
    }

    #[test]
    fn a_placeholder_without_an_attachment_is_rejected() {
        for json in [
            r#"{"_placeholder":true,"num":2}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":0.5}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true,"num":null}"#,
            r#"{"_placeholder":true,"num":[0]}"#,
            r#"{"_placeholder":true,"num":18446744073709551616}"#,
            r#"{"_placeholder":true}"#,
            r#"{"num":1,"_placeholder":false,"num":2,"_placeholder":true}"#,
            r#"{"_placehold\u0065r":true,"n\u0075m":2}"#,
            r#"[[[{"a":{"_placeholder" :true , "num": 2}}]]]"#,
            r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}"#,
        ] {
            assert!(lack_attachment(json, 2), "{json}");
        }
    }
}
