//! Binary values in a payload: extracted while encoding, inserted while decoding.
//!
//! Socket.IO sends binary values next to the JSON text, which contains a placeholder for each. A thread-local list
//! transfers the values between serde and the attachments while one value is encoded or decoded; both are synchronous,
//! so nothing else can run in between.

use std::{borrow::Cow, cell::RefCell, fmt, ops::Deref};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

thread_local! {
    static OUTGOING: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// Bytes that a client sends or receives as a `Buffer`, `ArrayBuffer`, `Blob` or typed array.
///
/// Use it as a whole payload or anywhere inside one. Serialized outside of a [`Payload`](super::Payload)
/// it is a list of numbers.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = OUTGOING.with_borrow_mut(|attachments| {
            attachments.as_mut().map(|attachments| {
                attachments.push(self.0.clone());
                attachments.len() - 1
            })
        });
        match number {
            Some(number) => {
                let mut placeholder = serializer.serialize_map(Some(2))?;
                placeholder.serialize_entry("_placeholder", &true)?;
                placeholder.serialize_entry("num", &number)?;
                placeholder.end()
            }
            None => serializer.collect_seq(self.0.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Placeholder {
            #[serde(rename = "_placeholder")]
            placeholder: bool,
            num: usize,
        }

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Placeholder(Placeholder),
            Numbers(Vec<u8>),
        }

        match Form::deserialize(deserializer).map_err(|_| de::Error::custom("expected binary data"))? {
            Form::Placeholder(Placeholder { placeholder: true, num }) => INCOMING
                .with_borrow(|attachments| attachments.as_ref().and_then(|all| all.get(num).cloned()))
                .map(Self)
                .ok_or_else(|| de::Error::custom(format_args!("attachment {num} was not sent"))),
            Form::Placeholder(_) => Err(de::Error::custom("expected binary data")),
            Form::Numbers(bytes) => Ok(Self(bytes.into())),
        }
    }
}

/// Runs an encoder and returns its result and the extracted binary values.
pub(super) fn detach<R>(encode: impl FnOnce() -> R) -> (R, Vec<Bytes>) {
    // An encoder may encode a nested payload; the outer list is restored afterwards.
    let outer = OUTGOING.replace(Some(Vec::new()));
    let restore = Restore(Some(outer), &OUTGOING);
    let made = encode();
    let attachments = OUTGOING.take().unwrap_or_default();
    drop(restore);
    (made, attachments)
}

/// Runs a decoder that may take these binary values.
pub(super) fn attach<R>(attachments: &[Bytes], decode: impl FnOnce() -> R) -> R {
    let outer = INCOMING.replace(Some(attachments.to_vec()));
    let _restore = Restore(Some(outer), &INCOMING);
    decode()
}

/// Restores the list of an outer encoder or decoder, also if the inner one panics.
struct Restore(Option<Option<Vec<Bytes>>>, &'static std::thread::LocalKey<RefCell<Option<Vec<Bytes>>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(outer) = self.0.take() {
            self.1.set(outer);
        }
    }
}

/// Encoded text with placeholders that are numbered from `first`.
///
/// Only text of this module's own encoder is renumbered, in which a placeholder has one spelling; the
/// same spelling inside a string is escaped and does not match.
pub(super) fn renumber(text: &str, first: usize) -> Cow<'_, str> {
    const START: &str = r#"{"_placeholder":true,"num":"#;
    if first == 0 || !text.contains(START) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(START);
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find('}').unwrap_or(part.len());
        let number = part[..end].parse::<usize>().unwrap_or_default() + first;
        renumbered.push_str(START);
        renumbered.push_str(&number.to_string());
        renumbered.push_str(&part[end..]);
    }
    Cow::Owned(renumbered)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::Binary;
    use crate::{ErrorCode, Payload};

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Upload {
        name: String,
        parts: Vec<Binary>,
    }

    #[test]
    fn binary_values_travel_beside_the_text_in_order() {
        let upload = Upload { name: "two".to_owned(), parts: vec![vec![1, 2].into(), vec![3].into()] };
        let payload = Payload::encode(&upload).expect("encodes");
        assert_eq!(
            payload.arguments(),
            r#"{"name":"two","parts":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]}"#
        );
        assert_eq!(payload.attachments().len(), 2);
        assert_eq!(payload.decode::<Upload>().expect("decodes"), upload);
    }

    #[test]
    fn a_placeholder_without_its_attachment_is_refused() {
        let payload = Payload::from_encoded(r#"{"_placeholder":true,"num":4}"#.into(), Vec::new());
        let error = payload.decode::<Binary>().expect_err("refused");
        assert_eq!(error.code(), ErrorCode::InvalidPayload);
    }

    #[test]
    fn outside_of_a_payload_binary_data_is_a_list_of_numbers() {
        assert_eq!(serde_json::to_string(&Binary::from(vec![1, 255])).expect("serializes"), "[1,255]");
    }
}
