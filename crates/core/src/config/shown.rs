//! Values as error messages show them.

use config::ValueKind;

use super::{
    ConfigKey,
    secret::{HIDDEN, without_credentials},
    suggestion,
};

/// The longest value shown whole, in characters.
const LONGEST: usize = 100;

/// Parts of the names of settings that are likely to hold a secret.
const SECRET: [&str; 8] = ["auth", "cert", "credential", "key", "pass", "secret", "token", "url"];

/// A value on one line, as a JSON file would write it. Control and invisible characters are escaped, so that a value
/// can neither break the line nor hide in it.
pub(super) fn shown(value: &ValueKind) -> String {
    let whole = text(value);
    match whole.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

/// The value of something that is not a key. It may be anything, also another program's password, so a telling name
/// hides it, and so does one that is nearly that of a secret.
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
        // With its point, which is what is wrong with it where a whole number is wanted.
        ValueKind::Float(number) => format!("{number:?}"),
        number_or_switch => number_or_switch.to_string(),
    }
}
