//! The layer of environment variables.

use std::{collections::BTreeMap, env};

use config::ValueKind;

use super::{ConfigKey, ConfigSource, Problem, WebSocketConfig, draft::Draft, shown::shown_unknown, suggestion};

/// The variable that names the configuration file.
pub(super) const FILE: &str = "ROOMWIRE_CONFIG";

const PREFIX: &str = "ROOMWIRE_";

/// Starts of the names of variables that belong to the examples and tests of the project and are left alone.
const OF_OTHERS: [&str; 4] = ["ROOMWIRE_CHAT", "ROOMWIRE_CHROMIUM", "ROOMWIRE_E2E_", "ROOMWIRE_WRITE_SCREENSHOTS"];

/// Those with our prefix, by name, so that problems come in the same order every time.
pub(super) fn sorted(variables: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

/// Those of this process, except values that are not UTF-8, which are refused. ([`env::vars`] would panic.)
pub(super) fn of_process(draft: &mut Draft) -> BTreeMap<String, String> {
    let mut texts = Vec::new();
    for (name, value) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => texts.push((name, value)),
            Err(value) if name.starts_with(PREFIX) && !is_of_others(&name) => {
                let key = suggestion::key_like(&name[PREFIX.len()..]);
                let value = shown_unknown(&name, key, &ValueKind::String(value.to_string_lossy().into_owned()));
                draft.refuse(Problem::new(name, value, ConfigSource::Environment, "expected text in UTF-8"));
            }
            Err(_) => {}
        }
    }
    sorted(texts)
}

/// Puts the values of the variables on top of the draft. A variable with our prefix that is no key is refused: it is
/// a key misspelt, or one that this version does not have.
pub(super) fn read(draft: &mut Draft, variables: &BTreeMap<String, String>) {
    for (name, text) in variables {
        if let Some(key) = ConfigKey::all().iter().find(|key| key.variable() == *name) {
            // A rule knows its kind only together with a place; which configuration that place is in does not matter.
            let value = key.field(&mut WebSocketConfig::default()).value_of_text(text);
            draft.set(key, &value, ConfigSource::Variable(name.clone()));
        } else if name != FILE && !is_of_others(name) {
            draft.refuse(unknown(name, text));
        }
    }
}

fn is_of_others(name: &str) -> bool {
    OF_OTHERS.iter().any(|start| name.starts_with(start))
}

fn unknown(name: &str, text: &str) -> Problem {
    let key_like = suggestion::key_like(&name[PREFIX.len()..]);
    let allowed = match key_like {
        Some(key) => format!("no such variable; did you mean {}?", key.variable()),
        None => "no such variable; each is named for a key, such as ROOMWIRE_RETRY_CONFIG__MAX_DELAY for \
                 retryConfig.maxDelay"
            .to_owned(),
    };
    let shown = shown_unknown(name, key_like, &ValueKind::String(text.to_owned()));
    Problem::new(name, shown, ConfigSource::Environment, allowed)
}
