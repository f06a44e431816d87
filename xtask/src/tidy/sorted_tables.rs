//! Tables of a manifest stand in order, so that two changes to one seldom meet and nothing is listed twice unseen.

use super::SourceFile;
use super::manifest::Manifest;
use super::violation::Violation;

pub(super) fn check(file: &SourceFile, manifest: &Manifest, violations: &mut Vec<Violation>) {
    for (table, keys) in &manifest.tables {
        for pair in keys.windows(2) {
            if let [before, after] = pair
                && before.name > after.name
            {
                let text = format!("[{table}] is not sorted: `{}` belongs before `{}`", after.name, before.name);
                violations.push(Violation::new(&file.path, after.line, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::violation::found;
    use super::*;

    fn checked(text: &str) -> Vec<String> {
        let manifest = Manifest::parse(text).expect("it is TOML");
        found("Cargo.toml", text, |file, violations| check(file, &manifest, violations))
    }

    #[test]
    fn an_unsorted_table_is_refused() {
        assert_eq!(
            checked("[dependencies]\nserde = \"1\"\nbytes = \"1\"\n"),
            ["Cargo.toml:3: [dependencies] is not sorted: `bytes` belongs before `serde`"]
        );
        assert_eq!(checked("[workspace.dependencies]\nb = \"1\"\na = \"1\"\n").len(), 1);
        assert_eq!(checked("[workspace.lints.clippy]\nb = \"warn\"\na = \"warn\"\n").len(), 1);
        assert_eq!(checked("[dev-dependencies.b]\nversion = \"1\"\n[dev-dependencies.a]\nversion = \"1\"\n").len(), 1);
    }

    #[test]
    fn sorted_tables_pass() {
        let text = "[dependencies]\nbytes = \"1\"\nserde.workspace = true\n\n[dev-dependencies]\naxum = \"0.8\"\n";
        assert!(checked(text).is_empty());
    }
}
