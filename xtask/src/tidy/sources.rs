//! The files that the rules look at.

use std::fs;

use anyhow::{Context, ensure};

use crate::session::Session;

/// Folders whose files others wrote or programs made.
const FOREIGN: [&str; 3] = ["node_modules", "target", "vendor"];

/// A text file of the workspace.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Below the root, with `/` between folders.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }

    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.name().rsplit_once('.').is_some_and(|(_, own)| own == extension)
    }
}

/// Reads all text files that git tracks, or would track if they were added.
pub(super) fn read(session: &Session) -> anyhow::Result<Vec<SourceFile>> {
    let mut git = session.command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().context("git, which knows the files of the workspace, cannot be started")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let mut files = Vec::new();
    for path in String::from_utf8_lossy(&output.stdout).split_terminator('\0') {
        if is_foreign(path) {
            continue;
        }
        // A file may be gone that git still lists, and one that is no text has nothing to say to these rules.
        if let Ok(text) = fs::read_to_string(session.root().join(path)) {
            files.push(SourceFile::new(path, text));
        }
    }
    Ok(files)
}

fn is_foreign(path: &str) -> bool {
    path.split('/').any(|part| FOREIGN.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions() {
        let file = SourceFile::new("crates/core/src/room.rs", "");
        assert_eq!(file.name(), "room.rs");
        assert!(file.has_extension("rs"));
        assert!(!SourceFile::new("rs", "").has_extension("rs"));
    }

    #[test]
    fn what_others_wrote_is_left_alone() {
        assert!(is_foreign("examples/chat/page/vendor/client.js"));
        assert!(is_foreign("e2e/node_modules/a/index.js"));
        assert!(!is_foreign("crates/core/src/target_room.rs"));
    }
}
