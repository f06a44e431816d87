//! A `Cargo.toml`, read for its tables and the lines they are on.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::violation::{Unreadable, line_of};

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Normal,
    Development,
    Build,
}

/// One entry of a dependency table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The name it has in the registry, also where it is renamed.
    pub(super) package: String,
    /// The name it has in the manifest.
    pub(super) key: String,
    pub(super) purpose: Purpose,
    pub(super) optional: bool,
    pub(super) line: usize,
}

/// A key of a table and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: usize,
}

/// A cargo feature and what it turns on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) name: Key,
    pub(super) enables: Vec<String>,
}

/// What the rules ask a manifest for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) dependencies: Vec<Dependency>,
    pub(super) features: Vec<Feature>,
    /// The tables whose keys stand in order, by name, each with its keys as written.
    pub(super) tables: Vec<(String, Vec<Key>)>,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let root = DeTable::parse(text).map_err(|error| Unreadable {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            text: format!("cannot be read as TOML: {}", error.message()),
        })?;
        let mut manifest = Self::default();
        manifest.read(text, "", root.get_ref());
        Ok(manifest)
    }

    /// Reads the tables that a crate has, then those it has for one target, then those of the workspace.
    fn read(&mut self, text: &str, prefix: &str, tables: &DeTable<'_>) {
        for (name, value) in tables {
            let name: &str = name.get_ref();
            let Some(table) = value.get_ref().as_table() else { continue };
            let full = format!("{prefix}{name}");
            match name {
                "dependencies" => self.read_dependencies(text, &full, table, Purpose::Normal),
                "dev-dependencies" => self.read_dependencies(text, &full, table, Purpose::Development),
                "build-dependencies" => self.read_dependencies(text, &full, table, Purpose::Build),
                "features" if prefix.is_empty() => self.features = features(text, table),
                "lints" => {
                    let tools = children(&full, table);
                    self.tables.extend(tools.map(|(name, lints)| (name, keys(text, lints))));
                }
                "target" => {
                    for (name, target) in children(&full, table) {
                        self.read(text, &format!("{name}."), target);
                    }
                }
                "workspace" => self.read(text, "workspace.", table),
                _ => {}
            }
        }
    }

    fn read_dependencies(&mut self, text: &str, name: &str, table: &DeTable<'_>, purpose: Purpose) {
        self.tables.push((name.to_owned(), keys(text, table)));
        // What the workspace offers is not what a crate depends on.
        if name.starts_with("workspace.") {
            return;
        }
        for (key, value) in table {
            let key_text: &str = key.get_ref();
            let value = value.get_ref();
            let package = value.get("package").and_then(|package| package.get_ref().as_str());
            self.dependencies.push(Dependency {
                package: package.unwrap_or(key_text).to_owned(),
                key: key_text.to_owned(),
                purpose,
                optional: value.get("optional").and_then(|optional| optional.get_ref().as_bool()).unwrap_or_default(),
                line: line_of(text, key.span().start),
            });
        }
    }
}

/// The tables inside of a table, by their full names.
fn children<'a>(prefix: &'a str, tables: &'a DeTable<'a>) -> impl Iterator<Item = (String, &'a DeTable<'a>)> {
    tables
        .iter()
        .filter_map(move |(name, value)| Some((format!("{prefix}.{}", name.get_ref()), value.get_ref().as_table()?)))
}

fn features(text: &str, table: &DeTable<'_>) -> Vec<Feature> {
    let enables = |value: &Spanned<DeValue<'_>>| {
        let items = value.get_ref().as_array().into_iter().flatten();
        items.filter_map(|item| item.get_ref().as_str().map(ToOwned::to_owned)).collect()
    };
    let feature = |(key, value): (&Spanned<_>, _)| Feature { name: self::key(text, key), enables: enables(value) };
    table.iter().map(feature).collect()
}

/// The keys in the order in which they are written.
fn keys(text: &str, table: &DeTable<'_>) -> Vec<Key> {
    let mut names: Vec<_> = table.keys().collect();
    names.sort_by_key(|name| name.span().start);
    names.into_iter().map(|name| key(text, name)).collect()
}

fn key(text: &str, name: &Spanned<std::borrow::Cow<'_, str>>) -> Key {
    Key { name: name.get_ref().clone().into_owned(), line: line_of(text, name.span().start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[dependencies]
serde.workspace = true
clock = { package = "tokio", version = "1", optional = true }

[features]
contract-tests = ["dep:clock"]

[target.'cfg(unix)'.dev-dependencies]
rustix = "1"

[workspace.dependencies]
axum = "0.8"
"#;

    #[test]
    fn dependencies_are_known_by_package_purpose_and_line() {
        let manifest = Manifest::parse(TEXT).expect("it is TOML");
        let mut seen: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|found| (found.package.as_str(), found.purpose, found.optional, found.line))
            .collect();
        seen.sort_by_key(|(.., line)| *line);
        assert_eq!(
            seen,
            [
                ("serde", Purpose::Normal, false, 2),
                ("tokio", Purpose::Normal, true, 3),
                ("rustix", Purpose::Development, false, 9),
            ]
        );
    }

    #[test]
    fn tables_keep_the_order_in_which_they_are_written() {
        let manifest = Manifest::parse(TEXT).expect("it is TOML");
        let (_, keys) = manifest.tables.iter().find(|(name, _)| name == "dependencies").expect("it is there");
        let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["serde", "clock"]);
        assert!(manifest.tables.iter().any(|(name, _)| name == "workspace.dependencies"));
    }

    #[test]
    fn what_is_no_toml_is_said_with_its_line() {
        let error = Manifest::parse("[package]\nname = \n").expect_err("a value is missing");
        assert_eq!(error.line, 2);
    }
}
