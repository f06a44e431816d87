//! Decodes the arguments of an event as one value.
//!
//! A tuple takes an argument for each of its elements, a list takes all of them, every other type takes the first.
//! Arguments beyond those are ignored, and missing ones are `null`, as in JavaScript.

use std::cell::Cell;

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, SeqAccess, Visitor},
};
use serde_json::{de::StrRead, value::RawValue};

use super::shape;
use crate::Error;

/// Decodes arguments that are joined by commas.
///
/// # Errors
/// `INVALID_PAYLOAD` naming the field, or `INVALID_NAME` when the value of a name breaks its rules.
pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let all = split(text).map_err(|error| shape::syntax(&error))?;
    let tuple = Cell::new(None);
    let read = |is_first| serde_path_to_error::deserialize(Arguments { all: &all, is_first, tuple: &tuple });
    // Either the first argument is the value, or the value consumes several arguments.
    let (first, each) = (|| read(true), || read(false));
    match &all[..] {
        [] => first().or_else(|_| each()).map_err(|error| {
            let expected = tuple.get().map_or_else(|| "an argument is".to_owned(), expected);
            shape::missing(&error, &format!("{expected} expected, none came"))
        }),
        // A single array may be the tuple, or its first element.
        [one] => first().or_else(|alone| {
            each().map_err(|error| {
                let is_element = tuple.get().is_some() && !one.get().starts_with('[');
                shape::error(if is_element { &error } else { &alone }, None)
            })
        }),
        // A list may be all arguments, or the first of them.
        several => each().or_else(|error| {
            first().map_err(|_| {
                let came = several.len();
                let note = tuple.get().is_none().then(|| format!("{came} arguments came, 1 is expected"));
                shape::error(&error, note.as_deref())
            })
        }),
    }
}

fn expected(count: usize) -> String {
    if count == 1 { "1 argument is".to_owned() } else { format!("{count} arguments are") }
}

/// Splits the text into its arguments without copying.
fn split(text: &str) -> Result<Vec<&RawValue>, serde_json::Error> {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        all.extend(values.next().transpose()?);
        rest = rest[values.byte_offset()..].trim_start();
        if let Some(next) = rest.strip_prefix(',') {
            rest = next.trim_start();
            if rest.is_empty() {
                return Err(serde_json::Error::custom("trailing comma"));
            }
        } else if !rest.is_empty() {
            return Err(serde_json::Error::custom("trailing characters"));
        }
    }
    Ok(all)
}

/// Arguments as the input of a type.
#[derive(Clone, Copy)]
struct Arguments<'a, 'de> {
    all: &'a [&'de RawValue],
    /// Whether the first argument is the value, whatever its type.
    is_first: bool,
    /// Captures the length of the requested tuple, if there is one.
    tuple: &'a Cell<Option<usize>>,
}

impl<'de> Arguments<'_, 'de> {
    fn first(&self) -> &'de str {
        self.all.first().map_or("null", |first| first.get())
    }
}

/// Reads one whole argument.
fn whole<'de, T>(
    text: &'de str,
    read: impl FnOnce(&mut serde_json::Deserializer<StrRead<'de>>) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = read(&mut reader)?;
    // A parser of whole numbers stops at a fraction.
    reader.end()?;
    Ok(value)
}

macro_rules! of_first {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            whole(self.first(), |reader| reader.$method($($argument,)* visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for Arguments<'_, 'de> {
    type Error = serde_json::Error;

    of_first! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str() deserialize_string()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.first() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        // serde_json recognizes its `RawValue` by such a name.
        if name.starts_with('$') {
            return whole(self.first(), |reader| reader.deserialize_newtype_struct(name, visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.is_first {
            return whole(self.first(), |reader| reader.deserialize_seq(visitor));
        }
        visitor.visit_seq(Elements { all: self.all, next: 0, wanted: self.all.len() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, wanted: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.tuple.set(Some(wanted));
        if self.is_first {
            return whole(self.first(), |reader| reader.deserialize_tuple(wanted, visitor));
        }
        visitor.visit_seq(Elements { all: self.all, next: 0, wanted })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        wanted: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_tuple(wanted, visitor)
    }
}

/// The first arguments as the elements of a tuple or a list.
struct Elements<'a, 'de> {
    all: &'a [&'de RawValue],
    next: usize,
    wanted: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = serde_json::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error> {
        if self.next == self.wanted {
            return Ok(None);
        }
        let argument = self.all.get(self.next);
        self.next += 1;
        let text = argument.map_or("null", |argument| argument.get());
        let element = whole(text, |reader| seed.deserialize(reader));
        element.map(Some).map_err(|error| match argument {
            Some(_) => error,
            None => {
                let came = self.all.len();
                serde_json::Error::custom(format_args!("{} expected, {came} came", expected(self.wanted)))
            }
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.wanted - self.next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json, value::RawValue};

    use super::decode;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Message {
        room: String,
        #[serde(default)]
        text: Option<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Pair(String, Option<u8>);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Small,
    }

    fn message(room: &str) -> Message {
        Message { room: room.to_owned(), text: None }
    }

    /// Decodes `text` as a `T`; returns the error message otherwise.
    fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
        decode(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn arguments_beyond_those_that_a_type_takes_are_ignored() {
        for beyond in ["", ",null", ",null,null", r#" , "more",{"a":[1]}"#] {
            let with = |first: &str| format!("{first}{beyond}");
            assert_eq!(read(&with(r#""r""#)), Ok("r".to_owned()));
            assert_eq!(read(&with(r#"{"room":"r"}"#)), Ok(message("r")));
            assert_eq!(read(&with("true")), Ok(true));
            assert_eq!(read(&with("1.5")), Ok(1.5_f64));
            assert_eq!(read(&with("340282366920938463463374607431768211455")), Ok(u128::MAX));
            assert_eq!(read(&with(r#""small""#)), Ok(Kind::Small));
            assert_eq!(read(&with("7")), Ok(Some(7_u8)));
            assert_eq!(read(&with("null")), Ok(None::<u8>));
            assert_eq!(read(&with(r#"{"a":1}"#)), Ok(BTreeMap::from([("a".to_owned(), 1)])));
            assert_eq!(read(&with(r#"{"b":1}"#)), Ok(json!({"b": 1})));
            assert_eq!(read(&with(r#""a",2"#)), Ok(("a".to_owned(), 2_u8)));
            assert_eq!(read(&with(r#"["a",2]"#)), Ok(("a".to_owned(), 2_u8)), "an array is a tuple");
            let raw = read::<Box<RawValue>>(&with(r#"{"x": 1.50}"#)).expect("is taken as it is");
            assert_eq!(raw.get(), r#"{"x": 1.50}"#);
        }
        for beyond in ["", ",null", ",{}"] {
            let list = read(&format!(r#"["a","b"]{beyond}"#));
            assert_eq!(list, Ok(vec!["a".to_owned(), "b".to_owned()]), "{beyond}");
        }
    }

    #[test]
    fn missing_arguments_are_null() {
        assert_eq!(read(r#""a""#), Ok(("a".to_owned(), None::<u8>)));
        assert_eq!(read(r#""a""#), Ok(Pair("a".to_owned(), None)));
        assert_eq!(read(r#""a",null"#), Ok(Pair("a".to_owned(), None)));
        assert_eq!(read("[1,2]"), Ok((vec![1, 2], None::<u8>)), "an array may be the first element");
        assert_eq!(read(""), Ok((None::<u8>, None::<u8>)));
        assert_eq!(read(""), Ok(None::<Message>));
        assert_eq!(read(""), Ok(()));
        assert_eq!(read(""), Ok(Value::Null));
    }

    #[test]
    fn a_list_takes_all_arguments() {
        assert_eq!(read("1,2,3"), Ok(vec![1, 2, 3]));
        assert_eq!(read("[1],[2]"), Ok(vec![vec![1], vec![2]]));
        assert_eq!(read("[1,2,3]"), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn a_refusal_says_how_many_arguments_came_and_how_many_are_expected() {
        type Three = (String, u8, u8);
        assert_eq!(read::<Three>(r#""a""#), Err("[1]: 3 arguments are expected, 1 came".to_owned()));
        assert_eq!(read::<Three>(r#""a",1"#), Err("[2]: 3 arguments are expected, 2 came".to_owned()));
        assert_eq!(read::<Three>(""), Err("payload: 3 arguments are expected, none came".to_owned()));
        assert_eq!(read::<Message>(""), Err("payload: an argument is expected, none came".to_owned()));
        assert_eq!(
            read::<Message>(r#""r","text""#),
            Err(r#"payload: invalid type: string "r", expected an object (2 arguments came, 1 is expected)"#.to_owned())
        );
        assert_eq!(
            read::<Three>(r#""a",1,"b""#),
            Err(r#"[2]: invalid type: string "b", expected a whole number from 0 to 255"#.to_owned())
        );
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        for text in ["1,", "1 2", "{", "1,,2", r#""a"#, ","] {
            assert!(read::<Value>(text).is_err(), "{text}");
        }
    }
}
