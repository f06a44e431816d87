//! No file names a folder that only one machine has.

use super::SourceFile;
use super::violation::Violation;

/// The folders under which people and build machines keep their checkouts.
const FOLDERS: [&str; 3] = ["home", "root", "work"];

pub(super) fn check(file: &SourceFile, violations: &mut Vec<Violation>) {
    for (index, line) in file.text.lines().enumerate() {
        for folder in FOLDERS {
            if names(line, &format!("/{folder}/")) {
                let text = format!("names the machine's own folder `{folder}`");
                violations.push(Violation::new(&file.path, index + 1, text));
            }
        }
    }
}

/// Whether the folder is named from the top, not as a part of a longer path or address.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "_-.~)}]>*".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::violation::found;
    use super::*;

    #[test]
    fn a_path_from_the_top_is_refused() {
        let text = format!("first\ncd /{}/roomwire\nfile:///{}/me\n", "work", "home");
        assert_eq!(
            found("docs/running.md", &text, check),
            [
                "docs/running.md:2: names the machine's own folder `work`",
                "docs/running.md:3: names the machine's own folder `home`",
            ]
        );
    }

    #[test]
    fn other_paths_pass() {
        let text = format!("./{0}/x ~/{0}/x $HOME/{0}/x https://example.org/{0}/x {0}/x\n", "work");
        assert!(found("docs/running.md", &text, check).is_empty());
    }
}
