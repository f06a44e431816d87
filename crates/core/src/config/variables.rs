//! The layer of environment variables.

use std::{collections::BTreeMap, env};

use config::ValueKind;

use super::{ConfigKey, ConfigSource, Problem, WebSocketConfig, draft::Draft, shown::shown_unknown, suggestion};

/// The variable that names the configuration file.
pub(super) const FILE: &str = "ROOMWIRE_CONFIG";

const PREFIX: &str = "ROOMWIRE_";

/// Prefixes of variables that belong to the project's examples and tests and are ignored.
const OF_OTHERS: [&str; 4] = ["ROOMWIRE_CHAT", "ROOMWIRE_CHROMIUM", "ROOMWIRE_E2E_", "ROOMWIRE_WRITE_SCREENSHOTS"];

/// The variables with our prefix, by name, so that the order of problems is deterministic.
pub(super) fn sorted(variables: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let is_ours = |(name, value): &(String, String)| name.starts_with(PREFIX) && !is_of_kubernetes(name, value);
    variables.into_iter().filter(is_ours).collect()
}

/// Whether Kubernetes sets this variable in each pod, for a Service with a name that begins with `roomwire`. The names
/// follow Docker container links: `ROOMWIRE_SERVICE_HOST`, `ROOMWIRE_PORT=tcp://10.0.0.7:3000`,
/// `ROOMWIRE_PORT_3000_TCP_ADDR`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_of_port =
        name.rsplit_once("_PORT_").and_then(|(_, port)| port.split_once('_')).is_some_and(|(number, protocol)| {
            is_number(number) && PROTOCOLS.iter().any(|known| protocol.starts_with(known))
        });
    let is_link = || PROTOCOLS.iter().any(|protocol| value.starts_with(&format!("{}://", protocol.to_lowercase())));
    is_of_port
        || ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|end| name.ends_with(end))
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && is_link()
}

/// The variables of this process. Values that are not UTF-8 are rejected. ([`env::vars`] would panic.)
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

/// Applies the variables to the draft. A variable with our prefix that is no key is rejected: it is misspelt, or
/// unknown to this version.
pub(super) fn read(draft: &mut Draft, variables: &BTreeMap<String, String>) {
    for (name, text) in variables {
        if let Some(key) = ConfigKey::all().find(|key| key.variable() == *name) {
            // The kind of a rule depends on a field's type; any configuration will do.
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
