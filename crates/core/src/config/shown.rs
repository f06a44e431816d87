//! Values as error messages show them.

use config::ValueKind;

use super::{
    ConfigKey,
    secret::{HIDDEN, without_credentials},
    suggestion,
};

/// The longest value that is not truncated, in characters.
const LONGEST: usize = 100;

/// Parts of names that suggest a secret.
const SECRET: [&str; 8] = ["auth", "cert", "credential", "key", "pass", "secret", "token", "url"];

/// A value on one line, as in a JSON file. Control and invisible characters are escaped, so that a value can neither
/// break the line nor hide in it.
pub(super) fn shown(value: &ValueKind) -> String {
    let whole = text(value);
    match whole.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

/// The value of something that is not a key. It could be another program's password, so it is hidden if its name
/// suggests a secret or resembles the name of one.
pub(super) fn shown_unknown(name: &str, near: Option<&ConfigKey>, value: &ValueKind) -> String {
    let name = name.to_ascii_lowercase();
    let is_secret = near.is_some_and(ConfigKey::is_secret) || SECRET.iter().any(|word| name.contains(word));
    if is_secret { HIDDEN.to_owned() } else { shown(value) }
}

fn text(value: &ValueKind) -> String {
    match value {
        ValueKind::Nil => "null".to_owned(),
        ValueKind::String(text) => format!("{:?}", without_credentials(text)),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| text(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(table) => {
            let mut entries: Vec<_> = table
                .iter()
                .map(|(name, value)| {
                    format!("{name:?}: {}", shown_unknown(name, suggestion::key_like(name), &value.kind))
                })
                .collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(", "))
        }
        // With the decimal point, which is the problem where a whole number is expected.
        ValueKind::Float(number) => format!("{number:?}"),
        number_or_switch => number_or_switch.to_string(),
    }
}
