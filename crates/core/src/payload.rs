//! The arguments of an event, as text that is encoded once and never parsed in transit.

mod arguments;
mod binary;
mod depth;
mod into_payload;
mod json_string;
mod placeholders;
mod reserved_keys;
mod shape;
mod surrogates;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};

pub use binary::Binary;
pub use into_payload::IntoPayload;
pub(crate) use json_string::string_end;

use crate::{Error, ErrorCode};

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
    /// The arguments as JSON, joined by commas: the text between the brackets after the event's name.
    arguments: ByteString,
    attachments: Vec<Bytes>,
}

impl Payload {
    /// Encodes one argument.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`] if the value cannot be serialized as JSON, for example a map with keys that are not
    /// text.
    pub fn encode<T: Serialize + ?Sized>(argument: &T) -> Result<Self, Error> {
        let (text, attachments) = binary::detach(|| serde_json::to_string(argument));
        let text = text.map_err(Error::internal)?;
        Ok(Self { arguments: text.into(), attachments })
    }

    /// Arguments that are already encoded: JSON values joined by commas.
    ///
    /// The text is not validated; it must come from a trusted peer or an encoder.
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
    /// | `T` | takes |
    /// |---|---|
    /// | a tuple, an array | an argument for each element; also a single argument that is an array of them |
    /// | `Vec` and other lists | all arguments; the first, when there is only one or they do not fit |
    /// | everything else | the first argument |
    ///
    /// Arguments beyond those are ignored. Missing arguments are `null`, so `Option` takes them. Half of a surrogate
    /// pair, which text cannot contain, becomes U+FFFD where it is decoded as text.
    ///
    /// ```
    /// use roomwire_core::Payload;
    ///
    /// let payload = Payload::from_encoded(r#""lobby",null"#.into(), Vec::new());
    /// assert_eq!(payload.decode::<String>()?, "lobby");
    /// assert_eq!(payload.decode::<(String, Option<u8>)>()?, ("lobby".to_owned(), None));
    /// let error = payload.decode::<(String, u8, u8)>().expect_err("the last is missing");
    /// assert_eq!(error.message(), "[1]: invalid type: null, expected a whole number from 0 to 255");
    /// # Ok::<(), roomwire_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPayload`] naming the field, or for a key that begins with `$serde_json::private::`, which
    /// `serde_json` reserves; [`ErrorCode::InvalidName`] when the value of a name breaks its rules.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if reserved_keys::has_any(&self.arguments) {
            let problem = format!("payload has a key that begins with {}, which is reserved", reserved_keys::PREFIX);
            return Err(Error::with_message(ErrorCode::InvalidPayload, problem));
        }
        binary::attach(&self.attachments, || {
            arguments::decode(&self.arguments).or_else(|error| match surrogates::replaced(&self.arguments) {
                Some(mended) => arguments::decode(&mended),
                None => Err(error),
            })
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

    /// Adds the binary value of the next placeholder.
    pub(crate) fn push_attachment(&mut self, attachment: Bytes) {
        self.attachments.push(attachment);
    }

    /// The size of text and attachments in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.arguments.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Rejects arguments in which arrays and objects are nested more than `most` deep. Scans the text only, without
    /// building values, so text of any depth is safe.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPayload`] with the limit.
    pub fn check_depth(&self, most: usize) -> Result<(), Error> {
        if depth::is_deeper(&self.arguments, most) {
            let problem = format!("payload is nested too deep; {most} levels of arrays and objects are allowed");
            return Err(Error::with_message(ErrorCode::InvalidPayload, problem));
        }
        Ok(())
    }

    /// Rejects arguments with a placeholder that has no attachment: receivers end their connection at one. Scans the
    /// text only, without building values.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPayload`].
    pub fn check_placeholders(&self) -> Result<(), Error> {
        // Without attachments the packet is not a binary one, and receivers look for no placeholders.
        if !self.attachments.is_empty() && self.lacks_attachment(self.attachments.len()) {
            return Err(Error::with_message(ErrorCode::InvalidPayload, "a placeholder has no attachment"));
        }
        Ok(())
    }

    /// Whether a placeholder is for none of so many attachments.
    pub(crate) fn lacks_attachment(&self, attachments: usize) -> bool {
        placeholders::lack_attachment(&self.arguments, attachments)
    }

    /// Rejects more than `most` binary values.
    ///
    /// # Errors
    /// [`ErrorCode::LimitExceeded`] with the limit.
    pub fn check_attachments(&self, most: usize) -> Result<(), Error> {
        let count = self.attachments.len();
        if count > most {
            let problem = format!("{count} binary attachments in one message; {most} are allowed");
            return Err(Error::with_message(ErrorCode::LimitExceeded, problem));
        }
        Ok(())
    }
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
    fn half_of_a_surrogate_pair_is_passed_on_as_it_is_and_replaced_where_it_is_decoded() {
        let payload = received(r#"{"room":"r\ud83c","message":"hi \ud83c"},null"#);
        assert_eq!(payload.arguments(), r#"{"room":"r\ud83c","message":"hi \ud83c"},null"#);
        let decoded = payload.decode::<Message>().expect("decodes");
        assert_eq!((decoded.room.as_str(), decoded.message.as_str()), ("r\u{fffd}", "hi \u{fffd}"));
        let value = payload.decode::<serde_json::Value>().expect("decodes");
        assert_eq!(value["message"], "hi \u{fffd}");
        let raw = payload.decode::<Box<serde_json::value::RawValue>>().expect("is not decoded");
        assert_eq!(raw.get(), r#"{"room":"r\ud83c","message":"hi \ud83c"}"#);
    }

    /// `serde_json` would parse each text in the one around it, without a limit of nesting.
    #[test]
    fn texts_that_a_value_would_parse_within_each_other_are_refused_and_passed_on_as_they_are() {
        let mut text = "1".to_owned();
        for _ in 0..5 {
            text = format!(r#"{{"$serde_json::private::RawValue":{}}}"#, serde_json::Value::from(text));
        }
        let payload = received(&text);
        assert_eq!(payload.arguments(), text);
        let error = payload.decode::<serde_json::Value>().expect_err("refused");
        assert_eq!(error.code(), ErrorCode::InvalidPayload);
        assert!(error.message().contains("reserved"), "{error}");
    }

    #[test]
    fn numbers_and_the_order_of_keys_survive_a_value() {
        for text in
            ["117.63331139400017", "-33.856784000000005", "5", "9007199254740993", "18446744073709551615", "0.1"]
        {
            let value = received(text).decode::<serde_json::Value>().expect("decodes");
            assert_eq!(Payload::encode(&value).expect("encodes").arguments(), text);
        }
        let mut bits = 88_172_645_463_325_252_u64;
        for _ in 0..100_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let (any, coordinate) = (f64::from_bits(bits), bits as f64 / u64::MAX as f64 * 360.0 - 180.0);
            for number in [any, coordinate].into_iter().filter(|number| number.is_finite()) {
                let sent = Payload::encode(&number).expect("encodes");
                assert_eq!(sent.decode::<f64>().expect("decodes").to_bits(), number.to_bits());
                let value = sent.decode::<serde_json::Value>().expect("decodes");
                assert_eq!(Payload::encode(&value).expect("encodes"), sent);
            }
        }
        let text = r#"{"zebra":1,"apple":2,"m":{"z":1,"a":2}}"#;
        let value = received(text).decode::<serde_json::Value>().expect("decodes");
        assert_eq!(Payload::encode(&value).expect("encodes").arguments(), text);
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
