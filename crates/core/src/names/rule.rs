//! The rule that all names share.

use super::NameError;

/// Checks length and characters of a name of this kind.
pub(super) fn check(kind: &'static str, name: &str, most: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::empty(kind, most));
    }
    if name.len() > most {
        return Err(NameError::too_long(kind, name.len(), most));
    }
    match name.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, _)) => Err(NameError::control_character(kind, at)),
        None => Ok(()),
    }
}
