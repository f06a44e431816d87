//! The layer of the configuration file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use config::{FileFormat, Format, Map, Value, ValueKind};

use super::{
    ConfigKey, ConfigSource, Problem,
    draft::Draft,
    shown::{shown, shown_unknown},
    suggestion, variables,
};

/// The names of configuration files, with their formats.
const NAMES: [(&str, FileFormat); 4] = [
    ("roomwire.toml", FileFormat::Toml),
    ("roomwire.yaml", FileFormat::Yaml),
    ("roomwire.yml", FileFormat::Yaml),
    ("roomwire.json", FileFormat::Json),
];

/// Reads the only configuration file of a directory, and returns it. `None` if there is none.
pub(super) fn find_and_read(draft: &mut Draft, directory: &Path) -> Option<PathBuf> {
    let mut found = NAMES
        .iter()
        .map(|(name, _)| directory.join(name))
        // Includes a dangling link: reading it reports the problem instead of ignoring it.
        .filter(|path| fs::symlink_metadata(path).is_ok());
    let first = found.next()?;
    let others: Vec<_> = found.map(|path| path.display().to_string()).collect();
    if others.is_empty() {
        read(draft, &first, None);
    } else {
        let allowed = format!(
            "also found {}; expected one configuration file, or one of them named in {}",
            others.join(" and "),
            variables::FILE
        );
        draft.refuse(Problem::file(first.display().to_string(), allowed));
    }
    Some(first)
}

/// Applies the values of a file to the draft. If `ROOMWIRE_CONFIG` named the file, its value is passed too, for the
/// error if there is no such file.
pub(super) fn read(draft: &mut Draft, path: &Path, variable: Option<&str>) {
    let name = path.display().to_string();
    let content = format_of(path).and_then(|format| match fs::read_to_string(path) {
        Ok(text) => Ok((format, text)),
        Err(error) => Err(format!("cannot be read: {error}")),
    });
    match content {
        // Some editors write a byte order mark, which no parser here expects.
        Ok((format, text)) => match format.parse(None, text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            Ok(table) => read_table(draft, "", table, &ConfigSource::File(name)),
            Err(error) => draft.refuse(Problem::file(name, on_one_line(&error.to_string()))),
        },
        Err(reason) => {
            let allowed = format!("{reason}; expected a .toml, .yaml, .yml or .json file");
            draft.refuse(match variable {
                Some(value) => {
                    let value = shown(&ValueKind::String(value.to_owned()));
                    Problem::new(variables::FILE, value, ConfigSource::Environment, allowed)
                }
                None => Problem::file(name, allowed),
            });
        }
    }
}

fn format_of(path: &Path) -> Result<FileFormat, String> {
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    NAMES
        .iter()
        .find(|(name, _)| extension.is_some() && name.strip_prefix("roomwire.") == extension.as_deref())
        .map(|(_, format)| *format)
        .ok_or_else(|| "is of no known format".to_owned())
}

fn read_table(draft: &mut Draft, group: &str, table: Map<String, Value>, source: &ConfigSource) {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (name, Value { kind, .. }) in entries {
        let path = if group.is_empty() { name.clone() } else { format!("{group}.{name}") };
        // A dot in a name is not a path separator, so such a name must not match a path.
        let is_plain = !name.contains('.');
        let names_inside = if group.is_empty() { ConfigKey::names_in(&name) } else { Vec::new() };
        match (ConfigKey::named(&path).filter(|_| is_plain), kind) {
            (Some(key), value) => draft.set(key, &value, source.clone()),
            (None, ValueKind::Table(inside)) if !names_inside.is_empty() => read_table(draft, &name, inside, source),
            (None, value) if !names_inside.is_empty() => {
                let allowed = format!("expected a table with keys out of {}", names_inside.join(", "));
                draft.refuse(Problem::new(path, shown(&value), source.clone(), allowed));
            }
            (None, value) => draft.refuse(unknown(group, &name, &path, &value, source)),
        }
    }
}

fn unknown(group: &str, name: &str, path: &str, value: &ValueKind, source: &ConfigSource) -> Problem {
    let is_table = matches!(value, ValueKind::Table(_));
    let key_like = suggestion::key_like(path);
    let near = if is_table { suggestion::group_like(path) } else { key_like.map(ConfigKey::name) };
    let allowed = match near {
        Some(near) => format!("no such key; did you mean `{near}`?"),
        None => format!("no such key; the keys here are {}", ConfigKey::names_in(group).join(", ")),
    };
    // Names come from the file unchanged; quoting unusual ones also escapes characters that would break the line.
    let is_usual = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let key = match (name.chars().all(is_usual), group) {
        (true, _) => path.to_owned(),
        (false, "") => format!("{name:?}"),
        (false, group) => format!("{group}.{name:?}"),
    };
    Problem::new(key, shown_unknown(path, key_like, value), source.clone(), allowed)
}

/// The position and reason from a parser's message, without the excerpt of the file that some parsers include.
fn on_one_line(message: &str) -> String {
    let lines: Vec<_> = message
        .lines()
        .filter(|line| {
            !line.trim_start_matches(|character: char| character == ' ' || character.is_ascii_digit()).starts_with('|')
        })
        .map(|line| line.trim().trim_start_matches("TOML parse error at "))
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(": ")
}
