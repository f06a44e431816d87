//! The arguments of an event, as text that is encoded once and never parsed on its way.

mod binary;
mod depth;
mod into_payload;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

pub use binary::Binary;
pub use into_payload::IntoPayload;

use crate::{Error, ErrorCode, names::INVALID_NAME_MARK};

/// The arguments of an event or of an acknowledgement, encoded.
///
/// Cloning shares the bytes. Binary values ([`Binary`]) travel as attachments next to the text.
///
/// ```
/// use roomwire_core::Payload;
///
/// let payload = Payload::encode(&("hello", 1))?;
/// assert_eq!(payload.arguments(), r#"["hello",1]"#);
/// let read: (String, u32) = payload.decode()?;
/// assert_eq!(read, ("hello".to_owned(), 1));
/// # Ok::<(), roomwire_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The arguments as JSON, joined by commas: what stands between the brackets after the event's name.
    arguments: ByteString,
    attachments: Vec<Bytes>,
}

impl Payload {
    /// Encodes one argument.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`] when the value cannot be written as JSON, for example a map whose keys
    /// are not text.
    pub fn encode<T: Serialize + ?Sized>(argument: &T) -> Result<Self, Error> {
        let (text, attachments) = binary::detach(|| serde_json::to_string(argument));
        let text = text.map_err(Error::internal)?;
        Ok(Self { arguments: text.into(), attachments })
    }

    /// Arguments that are encoded already: JSON values joined by commas.
    ///
    /// The text is not checked; it must come from a peer that was, or from an encoder.
    #[must_use]
    pub fn from_encoded(arguments: ByteString, attachments: Vec<Bytes>) -> Self {
        Self { arguments, attachments }
    }

    /// Several arguments, each encoded on its own.
    #[must_use]
    pub fn join(arguments: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        let mut text = String::new();
        for argument in arguments {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&binary::renumber(&argument.arguments, joined.attachments.len()));
            joined.attachments.extend(argument.attachments);
        }
        joined.arguments = text.into();
        joined
    }

    /// Decodes the arguments.
    ///
    /// One argument is decoded as `T`. Several are decoded as a sequence, so `T` is a tuple or a list
    /// then. No argument is decoded as `null`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPayload`] naming the field, or [`ErrorCode::InvalidName`] when the value of a
    /// name breaks its rules.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = match self.arguments.as_ref() {
            "" => "null".into(),
            _ if self.has_several() => ByteString::from(format!("[{}]", self.arguments)),
            _ => self.arguments.clone(),
        };
        binary::attach(&self.attachments, || {
            let mut deserializer = serde_json::Deserializer::from_str(&text);
            let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| shape_error(&error))?;
            deserializer.end().map_err(|error| Error::with_message(ErrorCode::InvalidPayload, plain(&error)))?;
            Ok(value)
        })
    }

    /// The arguments as JSON, joined by commas.
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// The binary values, in the order of their placeholders.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The size of text and attachments in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.arguments.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Refuses arguments in which arrays and objects are nested more than `most` deep. Looks at the text only: nothing
    /// is built, and text of any depth does no harm.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPayload`] with the bound.
    pub fn check_depth(&self, most: usize) -> Result<(), Error> {
        if depth::is_deeper(&self.arguments, most) {
            let problem = format!("payload is nested too deep; {most} levels of arrays and objects are allowed");
            return Err(Error::with_message(ErrorCode::InvalidPayload, problem));
        }
        Ok(())
    }

    /// Whether a second argument follows the first.
    fn has_several(&self) -> bool {
        let mut values = serde_json::Deserializer::from_str(&self.arguments).into_iter::<&RawValue>();
        matches!(values.next(), Some(Ok(_))) && values.byte_offset() < self.arguments.trim_end().len()
    }
}

fn shape_error(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let message = plain(error.inner());
    if let Some(problem) = message.strip_prefix(INVALID_NAME_MARK) {
        return Error::with_message(ErrorCode::InvalidName, problem.to_owned());
    }
    let path = error.path().to_string();
    match missing_field(&message) {
        Some(field) if path == "." => Error::invalid_field(field, "is missing"),
        Some(field) => Error::invalid_field(format!("{path}.{field}"), "is missing"),
        None if path == "." => Error::invalid_field("payload", &message),
        None => Error::invalid_field(path, &message),
    }
}

/// The message without the position, which means nothing to the client.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Binary, Payload};
    use crate::{ErrorCode, RoomId};

    #[derive(Debug, Deserialize, PartialEq)]
    struct Message {
        room: RoomId,
        message: String,
    }

    fn received(arguments: &str) -> Payload {
        Payload::from_encoded(arguments.to_owned().into(), Vec::new())
    }

    #[test]
    fn one_argument_several_and_none_are_decoded() {
        assert_eq!(received(r#""a""#).decode::<String>().expect("text"), "a");
        assert_eq!(received(r#""a",2"#).decode::<(String, u8)>().expect("two"), ("a".to_owned(), 2));
        assert_eq!(received("[1,2]").decode::<Vec<u8>>().expect("list"), [1, 2]);
        assert_eq!(received("").decode::<Option<u8>>().expect("none"), None);
    }

    #[test]
    fn a_wrong_shape_names_the_field() {
        for (arguments, field) in [
            (r#"{"room":"r"}"#, "message"),
            (r#"{"room":"r","message":1}"#, "message"),
            (r#"{"room":{},"message":"m"}"#, "room"),
            ("7", "payload"),
            ("", "payload"),
        ] {
            let error = received(arguments).decode::<Message>().expect_err("refused");
            assert_eq!(error.code(), ErrorCode::InvalidPayload, "{arguments}");
            assert_eq!(error.field(), Some(field), "{arguments}: {error}");
        }
    }

    #[test]
    fn a_bad_name_is_told_apart_from_a_bad_shape() {
        let long = format!(r#"{{"room":"{}","message":"m"}}"#, "x".repeat(129));
        let error = received(&long).decode::<Message>().expect_err("refused");
        assert_eq!(error.code(), ErrorCode::InvalidName);
        assert_eq!(error.message(), "room name is 129 bytes long; 1 to 128 are allowed");
    }

    #[test]
    fn json_nested_ten_thousand_deep_is_refused_without_harm() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let error = received(&deep).decode::<serde_json::Value>().expect_err("refused");
        assert_eq!(error.code(), ErrorCode::InvalidPayload);
    }

    #[test]
    fn joined_arguments_keep_their_binary_values_apart() {
        let first = Payload::encode(&Binary::from(vec![1])).expect("encodes");
        let second = Payload::encode(&("text", Binary::from(vec![2, 3]))).expect("encodes");
        let joined = Payload::join([first, second]);
        let (one, (text, two)): (Binary, (String, Binary)) = joined.decode().expect("decodes");
        assert_eq!((&one[..], text.as_str(), &two[..]), (&[1][..], "text", &[2, 3][..]));
    }
}
