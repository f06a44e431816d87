//! The values of labels that are codes or reasons of the protocol.

use roomwire_core::{ErrorCode, StateError};

/// An application-defined error code.
const APPLICATION: &str = "APPLICATION";

/// `OK`, and the error codes.
pub(super) const OUTCOMES: &[&str] = &{
    let mut outcomes = [OK; ErrorCode::ALL.len() + 2];
    let mut at = 0;
    while at < CODES.len() {
        outcomes[at + 1] = CODES[at];
        at += 1;
    }
    outcomes
};

/// The error codes.
pub(super) const CODES: &[&str] = &{
    let mut codes = [APPLICATION; ErrorCode::ALL.len() + 1];
    let mut at = 0;
    while at < ErrorCode::ALL.len() {
        codes[at] = ErrorCode::ALL[at].as_str();
        at += 1;
    }
    codes
};

/// The outcome of something that succeeded.
pub(crate) const OK: &str = "OK";

/// The label of an error code. Those of applications share one, so that the values are a closed set.
pub(crate) const fn code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Application(_) => APPLICATION,
        code => code.as_str(),
    }
}

/// The codes of a backend that refuses.
pub(super) const REFUSED: &[&str] =
    &["NOPERM", "NOAUTH", "WRONGPASS", "WRONGTYPE", "MISCONF", "NOREPLICAS", "DAMAGED", "ERR", OTHER];

const OTHER: &str = "OTHER";

/// The label of a backend's own code.
pub(super) fn refused(code: &str) -> &'static str {
    REFUSED.iter().find(|known| **known == code).unwrap_or(&OTHER)
}

/// Failures of backend calls. Answers such as a full room are none.
pub(super) const FAILURES: &[&str] = &["unavailable", "refused", "fenced", "out of memory", "too large", CANCELLED];

/// The caller did not wait for the answer: its deadline passed.
pub(super) const CANCELLED: &str = "timeout";

/// The label of a failure. `None` for an answer.
pub(super) fn failure(error: &StateError) -> Option<&'static str> {
    match error {
        StateError::Unavailable(_) => Some("unavailable"),
        StateError::Refused(_) => Some("refused"),
        StateError::Fenced => Some("fenced"),
        StateError::OutOfMemory => Some("out of memory"),
        StateError::TooLarge { .. } => Some("too large"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roomwire_core::ErrorCode;

    use super::{CODES, OK, OUTCOMES, code, refused};

    #[test]
    fn every_code_is_a_value_once_and_those_of_applications_share_one() {
        assert_eq!(OUTCOMES[0], OK);
        assert_eq!(OUTCOMES.iter().collect::<BTreeSet<_>>().len(), ErrorCode::ALL.len() + 2);
        for known in ErrorCode::ALL {
            assert!(OUTCOMES.contains(&code(known)) && CODES.contains(&code(known)), "{known}");
        }
        assert!(OUTCOMES.contains(&code(ErrorCode::Application("NOT_YOUR_TURN"))));
        assert!(!OUTCOMES.contains(&"NOT_YOUR_TURN"));
    }

    #[test]
    fn a_code_of_a_backend_that_is_not_known_is_counted_as_other() {
        assert_eq!([refused("NOPERM"), refused("EXECABORT")], ["NOPERM", "OTHER"]);
    }
}
