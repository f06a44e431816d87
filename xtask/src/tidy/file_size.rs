//! Files stay small enough to be read in one go.

use super::SourceFile;
use super::violation::Violation;

const LIMIT: usize = 400;
const KINDS: [&str; 7] = ["rs", "js", "mjs", "css", "html", "lua", "sh"];

pub(super) fn check(file: &SourceFile, violations: &mut Vec<Violation>) {
    let lines = file.text.lines().count();
    if lines > LIMIT && KINDS.iter().any(|kind| file.has_extension(kind)) {
        let text = format!("{lines} lines, more than {LIMIT}: one noun or one use case a file");
        violations.push(Violation::new(&file.path, LIMIT + 1, text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::violation::found;
    use super::*;

    #[test]
    fn a_long_source_file_is_refused() {
        let long = "\n".repeat(401);
        assert_eq!(
            found("crates/core/src/room.rs", &long, check),
            ["crates/core/src/room.rs:401: 401 lines, more than 400: one noun or one use case a file"]
        );
        assert_eq!(found("examples/chat/page/chat.mjs", &long, check).len(), 1);
    }

    #[test]
    fn the_limit_itself_and_other_kinds_pass() {
        assert!(found("crates/core/src/room.rs", &"\n".repeat(400), check).is_empty());
        assert!(found("CHANGELOG.md", &"\n".repeat(5_000), check).is_empty());
    }
}
