//! Where a request contains the token.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use roomwire_core::ConnectRequest;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// The longest accepted token, in bytes. Those of large directories, with a hundred groups, have 8 kB.
pub(crate) const LONGEST: usize = 16 * 1024;

/// A field of the auth payload, and a header for clients that cannot set it. Never the URL: URLs are logged.
pub(crate) struct TokenPlace {
    pub(crate) field: String,
    pub(crate) header: HeaderName,
}

impl TokenPlace {
    /// The token; `None` if the client sent none. The auth payload takes precedence.
    ///
    /// # Errors
    /// If the value is not a token.
    pub(crate) fn find<'a>(&self, request: &'a ConnectRequest) -> Result<Option<Cow<'a, str>>, Refusal> {
        let token = match self.in_payload(request.auth.arguments())? {
            Some(token) => Some(token),
            None => self.in_headers(&request.headers)?.map(Cow::Borrowed),
        };
        match token {
            Some(token) if token.len() > LONGEST => Err(Refusal::TooLong),
            // A file or a secret with a token often ends in a line break.
            Some(Cow::Borrowed(token)) => Ok(Some(Cow::Borrowed(token.trim()))),
            Some(Cow::Owned(token)) => Ok(Some(Cow::Owned(token.trim().to_owned()))),
            None => Ok(None),
        }
    }

    /// `null` and a payload that is not an object are no token: clients send them if they have none.
    fn in_payload<'a>(&self, arguments: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
        if !arguments.trim_start().starts_with('{') {
            return Ok(None);
        }
        let mut reader = serde_json::Deserializer::from_str(arguments);
        let value = FieldOf(&self.field).deserialize(&mut reader).map_err(|_| Refusal::NotText)?;
        match value.map(RawValue::get) {
            None | Some("null") => Ok(None),
            // Escapes make it longer, and no token contains any.
            Some(text) if text.len() > LONGEST + 2 => Err(Refusal::TooLong),
            Some(text) => serde_json::from_str::<Text<'a>>(text).map(|text| Some(text.0)).map_err(|_| Refusal::NotText),
        }
    }

    /// Other schemes than Bearer are ignored: a proxy may require a password.
    fn in_headers<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, Refusal> {
        let mut values = headers.get_all(&self.header).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Refusal::SeveralHeaders);
        }
        let value = value.to_str().map_err(|_| Refusal::NotText)?.trim();
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
            Some(_) => Ok(None),
            None => Ok(Some(value)),
        }
    }
}

/// Borrows text that has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Extracts one field of an object and skips the others. The last one counts, as in JavaScript.
struct FieldOf<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for FieldOf<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldOf<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use roomwire_core::{ConnectRequest, Namespace, Payload};

    use super::{LONGEST, TokenPlace};
    use crate::refusal::Refusal;

    fn found(auth: &str, headers: &[&str]) -> Result<Option<String>, Refusal> {
        let place = TokenPlace { field: "token".to_owned(), header: HeaderName::from_static("authorization") };
        let mut request = ConnectRequest::new(Namespace::default());
        request.auth = Payload::from_encoded(auth.to_owned().into(), Vec::new());
        request.headers = HeaderMap::new();
        request.query = "token=in-the-url".to_owned();
        for value in headers {
            request.headers.append("authorization", HeaderValue::from_str(value).expect("valid"));
        }
        place.find(&request).map(|token| token.map(std::borrow::Cow::into_owned))
    }

    #[test]
    fn the_payload_comes_first_then_the_header_and_never_the_url() {
        for (auth, headers, token) in [
            (r#"{"token":"a.b.c"}"#, &["Bearer d.e.f"][..], Some("a.b.c")),
            (r#" {"name":{"token":"no"},"token":"a\u002eb"}"#, &[], Some("a.b")),
            (r#"{"token":"first","token":"last"}"#, &[], Some("last")),
            (r#"{"token":null}"#, &["Bearer d.e.f"], Some("d.e.f")),
            (r#"{"token":" a.b.c\n"}"#, &[], Some("a.b.c")),
            (r#"{"Token":"a"}"#, &["bearer  d.e.f "], Some("d.e.f")),
            ("", &["d.e.f"], Some("d.e.f")),
            ("null", &[], None),
            (r#""a.b.c""#, &[], None),
            ("[1]", &["Basic dXNlcjpwYXNz"], None),
            ("", &[], None),
        ] {
            assert_eq!(found(auth, headers), Ok(token.map(str::to_owned)), "{auth} {headers:?}");
        }
    }

    #[test]
    fn what_stands_in_the_place_of_a_token_and_is_none_is_refused_and_not_overlooked() {
        let long = "x".repeat(LONGEST + 1);
        for (auth, headers, refusal) in [
            (r#"{"token":7}"#, &[][..], Refusal::NotText),
            (r#"{"token":{"a":1}}"#, &[], Refusal::NotText),
            (r#"{"token":"a""#, &[], Refusal::NotText),
            ("", &["a", "b"], Refusal::SeveralHeaders),
            (&format!(r#"{{"token":"{long}"}}"#), &[], Refusal::TooLong),
            ("", &[&long], Refusal::TooLong),
        ] {
            assert_eq!(found(auth, headers), Err(refusal), "{auth:.20} {headers:.20?}");
        }
        assert_eq!(found(r#"{"token":""}"#, &[]), Ok(Some(String::new())), "not nothing: refused as a token");
    }
}
