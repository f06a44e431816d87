//! A command as a person would type it, but for the secrets in it.

use std::path::Path;
use std::process::Command;

/// The command with the variables set for it, quoted where a shell needs it, and without the program's folder.
/// Credentials in URLs are left out.
pub(crate) fn shell_line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(&unsigned(&value?.to_string_lossy()))))
    });
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let args = command.get_args().map(|arg| quoted(&unsigned(&arg.to_string_lossy())));
    variables.chain([quoted(&name)]).chain(args).collect::<Vec<_>>().join(" ")
}

/// The text without user and password in the URLs of it.
fn unsigned(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| "/,?#".contains(c) || c.is_whitespace()).unwrap_or(part.len());
        let host = part[..end].rfind('@').map_or(0, |at| at + 1);
        shown.push_str("://");
        shown.push_str(&part[host..]);
    }
    shown
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_first_and_words_are_quoted() {
        let mut command = Command::new("/usr/bin/cargo");
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "it's"]);
        assert_eq!(shell_line(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }

    #[test]
    fn no_url_shows_its_credentials() {
        let mut command = Command::new("chat");
        command.env("URLS", "redis://ada:s3cr:t@one:1/2,rediss://:s3cr@t@two").arg("http://three/@x");
        assert_eq!(shell_line(&command), "URLS=redis://one:1/2,rediss://two chat http://three/@x");
    }

    #[test]
    fn an_empty_word_stays_a_word() {
        let mut command = Command::new("node");
        command.arg("");
        assert_eq!(shell_line(&command), "node ''");
    }
}
