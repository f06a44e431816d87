//! Decode errors in terms of JSON: the field and the problem.

use crate::{Error, ErrorCode, names::INVALID_NAME_MARK};

type Found = serde_path_to_error::Error<serde_json::Error>;

/// An argument mismatch, with a note about the arguments as a whole.
pub(super) fn error(found: &Found, note: Option<&str>) -> Error {
    let message = plain(found.inner());
    if let Some(problem) = message.strip_prefix(INVALID_NAME_MARK) {
        return Error::with_message(ErrorCode::InvalidName, problem.to_owned());
    }
    let path = found.path().to_string();
    // A scalar value has no name of its own.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    match missing_field(&message) {
        Some(field) if path.is_empty() => Error::invalid_field(field, "is missing"),
        Some(field) => Error::invalid_field(format!("{path}.{field}"), "is missing"),
        None => {
            let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
            let problem = in_words_of_json(&message) + &note;
            Error::invalid_field(if path.is_empty() { "payload" } else { path }, &problem)
        }
    }
}

/// A required argument is missing.
pub(super) fn missing(found: &Found, problem: &str) -> Error {
    match error(found, None) {
        name if name.code() == ErrorCode::InvalidName => name,
        _ => Error::invalid_field("payload", problem),
    }
}

/// Arguments that are not JSON.
pub(super) fn syntax(error: &serde_json::Error) -> Error {
    Error::with_message(ErrorCode::InvalidPayload, plain(error))
}

/// The message without the position, which is meaningless to the client.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The message without the names of Rust types.
fn in_words_of_json(message: &str) -> String {
    if message.starts_with("data did not match any variant of untagged enum ") {
        return "has none of the accepted forms".to_owned();
    }
    // A parser of whole numbers stopped at a fraction or an exponent.
    if message == "trailing characters" {
        return "is not a whole number".to_owned();
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let found = match found {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        other => other,
    };
    format!("{found}, expected {}", expectation(expected))
}

/// What serde expects, in terms of JSON.
fn expectation(expected: &str) -> String {
    if let Some(range) = range_of(expected) {
        return range;
    }
    let fixed = match expected {
        "f32" | "f64" => "a number",
        "a map" => "an object",
        "a sequence" => "an array",
        "unit" => "null",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    let elements = |count: &str| format!("an array of {} elements", count.split(' ').next().unwrap_or_default());
    if let Some(count) = expected.strip_prefix("a tuple of size ").or(expected.strip_prefix("an array of length ")) {
        return elements(count);
    }
    let kinds = [
        ("struct ", "an object"),
        ("struct variant ", "an object"),
        ("tuple struct ", "an array"),
        ("tuple variant ", "an array"),
        ("unit struct ", "null"),
        ("unit variant ", "null"),
        ("enum ", "a known variant"),
        ("internally tagged enum ", "an object with a known variant"),
        ("adjacently tagged enum ", "an object with a known variant"),
        ("a nonzero ", "a whole number that is not 0"),
    ];
    match kinds.iter().find(|(kind, _)| expected.starts_with(kind)) {
        Some((_, word)) => match expected.split_once(" with ") {
            Some((_, count)) if count.contains(" element") => elements(count),
            _ => (*word).to_owned(),
        },
        None => expected.to_owned(),
    }
}

/// A type of whole numbers as a range.
fn range_of(kind: &str) -> Option<String> {
    let range = |least: &dyn std::fmt::Display, most: &dyn std::fmt::Display| {
        Some(format!("a whole number from {least} to {most}"))
    };
    match kind {
        "u8" => range(&u8::MIN, &u8::MAX),
        "u16" => range(&u16::MIN, &u16::MAX),
        "u32" => range(&u32::MIN, &u32::MAX),
        "u64" | "usize" => range(&u64::MIN, &u64::MAX),
        "u128" => range(&u128::MIN, &u128::MAX),
        "i8" => range(&i8::MIN, &i8::MAX),
        "i16" => range(&i16::MIN, &i16::MAX),
        "i32" => range(&i32::MIN, &i32::MAX),
        "i64" | "isize" => range(&i64::MIN, &i64::MAX),
        "i128" => range(&i128::MIN, &i128::MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, num::NonZeroU8};

    use serde::{Deserialize, de::DeserializeOwned};

    use crate::Payload;

    #[derive(Debug, Deserialize)]
    struct SendMessage {
        #[expect(dead_code, reason = "only its shape matters")]
        text: String,
    }

    #[derive(Debug, Deserialize)]
    struct Point(#[expect(dead_code, reason = "only its shape matters")] u8, #[expect(dead_code, reason = "so")] u8);

    #[derive(Debug, Deserialize)]
    struct Nothing;

    #[derive(Debug, Deserialize)]
    enum Choice {
        #[expect(dead_code, reason = "only its shape matters")]
        Text { text: String },
        #[expect(dead_code, reason = "only its shape matters")]
        Pair(u8, u8),
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Text,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(#[expect(dead_code, reason = "only its shape matters")] String),
        Number(#[expect(dead_code, reason = "only its shape matters")] u8),
    }

    fn told<T: DeserializeOwned + std::fmt::Debug>(arguments: &str) -> String {
        let payload = Payload::from_encoded(arguments.to_owned().into(), Vec::new());
        payload.decode::<T>().expect_err("refused").message().to_owned()
    }

    #[test]
    fn a_problem_is_told_in_the_words_of_json_and_without_names_of_types() {
        for (told, text) in [
            (told::<SendMessage>("7"), "payload: invalid type: integer `7`, expected an object"),
            (told::<SendMessage>("[1,2]"), "[0]: invalid type: integer `1`, expected a string"),
            (told::<SendMessage>("[]"), "payload: invalid length 0, expected an array of 1 elements"),
            (told::<Vec<SendMessage>>(r#"[{"text":{}}]"#), "[0].text: invalid type: object, expected a string"),
            (told::<(u8, u8)>("[1]"), "payload: invalid length 1, expected an array of 2 elements"),
            (told::<Point>("{}"), "[0]: invalid type: object, expected a whole number from 0 to 255"),
            (told::<Nothing>("1"), "payload: invalid type: integer `1`, expected null"),
            (told::<Choice>("1"), "payload: expected value"),
            (told::<Choice>(r#"{"Text":1}"#), "Text: invalid type: integer `1`, expected an object"),
            (told::<Choice>(r#"{"Pair":1}"#), "Pair: invalid type: integer `1`, expected an array"),
            (told::<Choice>(r#""Video""#), "payload: unknown variant `Video`, expected `Text` or `Pair`"),
            (told::<Tagged>("1"), "payload: invalid type: integer `1`, expected an object with a known variant"),
            (told::<Either>("true"), "payload: has none of the accepted forms"),
            (told::<BTreeMap<String, u8>>("[]"), "payload: invalid type: array, expected an object"),
            (told::<Vec<u8>>("{}"), "payload: invalid type: object, expected an array"),
            (told::<[u8; 3]>("[1]"), "payload: invalid length 1, expected an array of 3 elements"),
            (told::<NonZeroU8>("0"), "payload: invalid value: integer `0`, expected a whole number that is not 0"),
            (told::<i8>("-129"), "payload: invalid value: integer `-129`, expected a whole number from -128 to 127"),
            (told::<u128>("5.0"), "payload: is not a whole number"),
            (told::<f64>(r#""1""#), r#"payload: invalid type: string "1", expected a number"#),
        ] {
            assert_eq!(told, text);
        }
    }
}
