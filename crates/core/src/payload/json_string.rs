//! The extent of a string in JSON text.

/// The index behind the closing quote of the string that `json` begins with.
pub(crate) fn string_end(json: &str) -> usize {
    let bytes = json.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            // The escaped character is never the closing quote.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}
