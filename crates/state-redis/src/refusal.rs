//! Refusals of a reachable server, as text for people.

use std::borrow::Cow;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use roomwire_core::Refusal;

/// The end of a server's message that comes from inside a script: the script's hash and a line of it.
const SCRIPT_POSITION: &str = " script: ";

const RIGHTS: &str = "the Redis user lacks a right, see `Rights` in docs/scaling.md";
const SIGN_IN: &str = "Redis refuses the user or the password";
const FOREIGN_KEY: &str =
    "a key is not as this service wrote it; look for what else writes to the keys of state.prefix";
const UNKNOWN: &str = "the server does not know a command; it may be renamed or disabled";
const NO_WRITES: &str = "Redis accepts no writes";
const OTHER: &str = "Redis answers with an error";

/// The refusal in an error response, of an operation and of its key or channel if known. `None` for transient errors,
/// as while a server starts or a slot moves.
pub(crate) fn refusal(what: impl Into<Cow<'static, str>>, about: Option<&str>, error: &RedisError) -> Option<Refusal> {
    let detail = error.detail().unwrap_or_default();
    if passes(error, detail) {
        return None;
    }
    let code = match error.kind() {
        ErrorKind::AuthenticationFailed => "WRONGPASS",
        _ => error.code()?,
    };
    let said = match detail.find(SCRIPT_POSITION) {
        Some(end) => &detail[..end],
        None if detail.is_empty() => "Password authentication failed",
        None => detail,
    };
    let what = what.into();
    let words = match about {
        Some(name) => format!("{code} {said} ({what} {name})"),
        None => format!("{code} {said}"),
    };
    Some(Refusal { what, code: code.to_owned(), meaning: meaning(code, said), words })
}

/// The refusal of a command inside a script, from the server's message.
pub(crate) fn refusal_in_script(command: &str, about: &str, words: &str) -> Refusal {
    let code = words.split(' ').next().unwrap_or_default();
    let said = words.strip_prefix(code).unwrap_or_default().trim_start();
    Refusal {
        what: command.to_owned().into(),
        code: code.to_owned(),
        meaning: meaning(code, said),
        words: format!("{words} ({command} {about})"),
    }
}

/// Stored data that is not in the format of this service.
pub(crate) fn damaged(what: impl Into<Cow<'static, str>>, words: String) -> Refusal {
    Refusal { what: what.into(), code: "DAMAGED".to_owned(), meaning: FOREIGN_KEY, words }
}

/// Whether the refusal is about the value of a key, so that no permission and no setting of the server resolves it.
pub(crate) fn is_about_a_foreign_key(refusal: &Refusal) -> bool {
    refusal.meaning == FOREIGN_KEY
}

/// Whether a retry may succeed without an operator.
fn passes(error: &RedisError, detail: &str) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain};
    let kind = matches!(
        error.kind(),
        ErrorKind::Server(Ask | BusyLoading | ClusterDown | MasterDown | Moved | NoScript | ReadOnly | TryAgain)
    );
    kind || error.code() == Some("BUSY") || detail.contains("max number of clients")
}

fn meaning(code: &str, said: &str) -> &'static str {
    match code {
        "NOPERM" => RIGHTS,
        "NOAUTH" | "WRONGPASS" => SIGN_IN,
        "WRONGTYPE" => FOREIGN_KEY,
        "MISCONF" | "NOREPLICAS" => NO_WRITES,
        // Older servers have no error code for missing permissions inside a script.
        _ if said.starts_with("The user executing the script") => RIGHTS,
        _ if said.starts_with("unknown command") || said.starts_with("Unknown Redis command") => UNKNOWN,
        // A script found no value, or an invalid one.
        _ if said.contains("user_script") => FOREIGN_KEY,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, RedisError, ServerErrorKind};

    use super::refusal;

    fn answered(kind: ServerErrorKind, detail: &str) -> RedisError {
        RedisError::from((ErrorKind::Server(kind), "an error", detail.to_owned()))
    }

    #[test]
    fn a_refusal_has_the_words_of_redis_and_what_they_are_about() {
        let error = answered(ServerErrorKind::NoPerm, "this user has no permissions");
        let refusal = refusal("SPUBLISH", Some("{roomwire:0}:room:/,r"), &error).expect("is one");
        assert_eq!(refusal.code, "NOPERM");
        assert_eq!(refusal.words, "NOPERM this user has no permissions (SPUBLISH {roomwire:0}:room:/,r)");
        assert!(refusal.meaning.contains("docs/scaling.md"));
    }

    #[test]
    fn the_position_in_a_script_is_left_out() {
        let text = "The user executing the script can't run this command (HGET k) script: 4a15, on @user_script:6.";
        let refusal = refusal("script join", None, &answered(ServerErrorKind::ResponseError, text)).expect("is one");
        assert_eq!(refusal.words, "ERR The user executing the script can't run this command (HGET k)");
        assert!(refusal.meaning.contains("right"));
    }

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        for kind in [ServerErrorKind::BusyLoading, ServerErrorKind::ReadOnly, ServerErrorKind::ClusterDown] {
            assert_eq!(refusal("x", None, &answered(kind, "wait")), None);
        }
        let full = answered(ServerErrorKind::ResponseError, "max number of clients reached");
        assert_eq!(refusal("x", None, &full), None);
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(refusal("x", None, &broken), None);
    }
}
