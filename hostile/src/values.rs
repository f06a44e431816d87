//! The arguments of an event, mutated so that they stay JSON.

use rand::{RngExt, rngs::StdRng};
use serde_json::{Map, Number, Value, json};

/// Names and texts with a meaning to some parser.
const TEXTS: [&str; 16] = [
    "",
    "size",
    "say",
    "connect",
    "disconnect",
    "connect_error",
    "error",
    "__proto__",
    "_placeholder",
    "\0",
    "a\r\nb",
    "\u{202e}abc",
    "a}{b",
    "\u{1e}",
    "🏠",
    "42[\"size\",1]",
];

/// Numbers at the limits of some type, as text.
const NUMBERS: [&str; 8] =
    ["-1", "0.1", "1e308", "-1e308", "18446744073709551615", "-9223372036854775808", "4294967296", "5e-324"];

/// Changes one value somewhere in an event, which mostly keeps its name, and a name.
pub(crate) fn mutate_event(random: &mut StdRng, event: &mut Value) {
    match event {
        Value::Array(values) if values.len() > 1 && random.random_ratio(99, 100) => {
            if random.random_ratio(1, 20) {
                values[0] = Value::String(text(random));
            } else if random.random_ratio(1, 10) {
                let more = another(random);
                values.insert(random.random_range(1..=values.len()), more);
            } else {
                let at = random.random_range(1..values.len());
                mutate(random, &mut values[at]);
            }
        }
        event => mutate(random, event),
    }
}

/// Changes one value somewhere in the others.
pub(crate) fn mutate(random: &mut StdRng, value: &mut Value) {
    let goes_deeper = random.random_ratio(3, 4);
    match value {
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = random.random_range(0..items.len());
            match random.random_range(0..12) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, another(random)),
                2 => items.swap(0, at),
                3 => items.push(items[at].clone()),
                _ => mutate(random, &mut items[at]),
            }
        }
        Value::Object(fields) if goes_deeper && !fields.is_empty() => mutate_fields(random, fields),
        Value::String(text) if goes_deeper => mutate_text(random, text),
        value => *value = another(random),
    }
}

fn mutate_fields(random: &mut StdRng, fields: &mut Map<String, Value>) {
    let nth = random.random_range(0..fields.len());
    let Some(name) = fields.keys().nth(nth).cloned() else { return };
    match random.random_range(0..8) {
        0 => drop(fields.remove(&name)),
        1 => {
            let taken = fields.remove(&name).unwrap_or_default();
            fields.insert(text(random), taken);
        }
        2 => drop(fields.insert(text(random), another(random))),
        _ => {
            if let Some(value) = fields.get_mut(&name) {
                mutate(random, value);
            }
        }
    }
}

fn mutate_text(random: &mut StdRng, text: &mut String) {
    let at = random.random_range(0..=text.chars().count());
    let mut characters: Vec<char> = text.chars().collect();
    match random.random_range(0..3) {
        0 => characters.truncate(at),
        _ => characters.insert(at, char::from_u32(random.random_range(0..0x3000)).unwrap_or('\0')),
    }
    *text = characters.into_iter().collect();
}

fn text(random: &mut StdRng) -> String {
    match random.random_range(0..20) {
        0 => "x".repeat(random.random_range(60..140)),
        nth => TEXTS[nth % TEXTS.len()].to_owned(),
    }
}

/// A value of any kind.
fn another(random: &mut StdRng) -> Value {
    match random.random_range(0..8) {
        0 => Value::Null,
        1 => Value::Bool(random.random()),
        2 => {
            let number = NUMBERS[random.random_range(0..NUMBERS.len())];
            number.parse::<Number>().map_or(Value::Null, Value::Number)
        }
        3 => json!({ "_placeholder": true, "num": random.random_range(-1..3) }),
        4 => (0..random.random_range(0..40)).fold(json!([]), |inner, _| json!([inner])),
        5 => json!({}),
        _ => Value::String(text(random)),
    }
}
