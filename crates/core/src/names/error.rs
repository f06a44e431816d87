//! Errors of name validation.

use std::fmt;

/// The prefix of a [`NameError`] in a deserializer's message, so that decoding a payload can distinguish an invalid
/// name from an invalid shape. It never reaches a client.
pub(crate) const INVALID_NAME_MARK: &str = "\u{1}invalid name\u{1}";

/// A name that breaks the rules for names, and which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    kind: &'static str,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Empty { most: usize },
    TooLong { bytes: usize, most: usize },
    ControlCharacter { at: usize },
    Reserved { name: &'static str },
    NoLeadingSlash,
    Separator { character: char },
    MalformedIncarnation,
}

impl NameError {
    pub(super) fn empty(kind: &'static str, most: usize) -> Self {
        Self { kind, problem: Problem::Empty { most } }
    }

    pub(super) fn too_long(kind: &'static str, bytes: usize, most: usize) -> Self {
        Self { kind, problem: Problem::TooLong { bytes, most } }
    }

    pub(super) fn control_character(kind: &'static str, at: usize) -> Self {
        Self { kind, problem: Problem::ControlCharacter { at } }
    }

    pub(super) fn reserved(kind: &'static str, name: &'static str) -> Self {
        Self { kind, problem: Problem::Reserved { name } }
    }

    pub(super) fn no_leading_slash(kind: &'static str) -> Self {
        Self { kind, problem: Problem::NoLeadingSlash }
    }

    pub(super) fn separator(kind: &'static str, character: char) -> Self {
        Self { kind, problem: Problem::Separator { character } }
    }

    pub(super) fn malformed_incarnation(kind: &'static str) -> Self {
        Self { kind, problem: Problem::MalformedIncarnation }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        match &self.problem {
            Problem::Empty { most } => write!(f, "{kind} is empty; 1 to {most} bytes are allowed"),
            Problem::TooLong { bytes, most } => write!(f, "{kind} is {bytes} bytes long; 1 to {most} are allowed"),
            Problem::ControlCharacter { at } => write!(f, "{kind} has a control character at byte {at}"),
            Problem::Reserved { name } => write!(f, "{kind} `{name}` is reserved by Socket.IO"),
            Problem::NoLeadingSlash => write!(f, "{kind} does not start with `/`"),
            Problem::Separator { character } => write!(f, "{kind} contains `{character}`"),
            Problem::MalformedIncarnation => {
                write!(f, "{kind} does not end with a dot and 16 lower-case hexadecimal digits")
            }
        }
    }
}

impl std::error::Error for NameError {}
