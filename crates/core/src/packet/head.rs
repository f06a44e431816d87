//! What stands before the payload of a packet: type, number of attachments, namespace and acknowledgement id.

use super::{PacketError, wire};
use crate::AckId;

/// The largest acknowledgement id, `Number.MAX_SAFE_INTEGER` in JavaScript: above it two ids can be the same number.
const MAX_ACK_ID: i64 = (1 << 53) - 1;

/// The parts of a packet's text. Slices point into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// One of [`wire`].
    pub(super) kind: u8,
    /// 0 unless the type is binary.
    pub(super) attachments: usize,
    /// Empty for the root namespace.
    pub(super) namespace: &'a str,
    pub(super) ack: Option<AckId>,
    /// The payload, unchecked.
    pub(super) json: &'a str,
}

impl<'a> Head<'a> {
    /// Splits `<type>[<attachments>-][<namespace>,][<ack id>][JSON]`.
    pub(super) fn parse(text: &'a str, most_attachments: usize) -> Result<Self, PacketError> {
        let kind = match text.bytes().next() {
            Some(kind @ wire::CONNECT..=wire::BINARY_ACK) => kind,
            _ => return Err(PacketError::UnknownType),
        };
        let (mut attachments, mut rest) = (0, &text[1..]);
        if matches!(kind, wire::BINARY_EVENT | wire::BINARY_ACK) {
            let (count, after) = take_digits(rest);
            rest = after.strip_prefix('-').ok_or(PacketError::AttachmentCount)?;
            attachments = number(count);
            if attachments == 0 {
                return Err(PacketError::AttachmentCount);
            }
            if attachments > most_attachments as u64 {
                return Err(PacketError::TooManyAttachments { most: most_attachments });
            }
        }
        let mut namespace = "";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let (id, json) = take_digits(rest);
        let ack = match i64::try_from(number(id)) {
            _ if id.is_empty() => None,
            Ok(id @ ..=MAX_ACK_ID) => Some(AckId(id)),
            _ => return Err(PacketError::AckIdTooLarge),
        };
        let attachments = usize::try_from(attachments).unwrap_or(most_attachments);
        Ok(Self { kind, attachments, namespace, ack, json })
    }
}

/// Splits decimal digits off the beginning.
fn take_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The value of decimal digits; `u64::MAX` if it is larger. 0 for no digits.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0, |value: u64, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::{Head, PacketError, wire};
    use crate::AckId;

    fn parsed(text: &str) -> (u8, usize, &str, Option<i64>, &str) {
        let head = Head::parse(text, 10).expect(text);
        (head.kind, head.attachments, head.namespace, head.ack.map(|AckId(id)| id), head.json)
    }

    #[test]
    fn every_part_but_the_type_is_optional() {
        for (text, head) in [
            ("0", (wire::CONNECT, 0, "", None, "")),
            ("1/a,", (wire::DISCONNECT, 0, "/a", None, "")),
            ("1/a", (wire::DISCONNECT, 0, "/a", None, "")),
            ("2/,[1]", (wire::EVENT, 0, "/", None, "[1]")),
            ("20[1]", (wire::EVENT, 0, "", Some(0), "[1]")),
            ("3/a,12[]", (wire::ACK, 0, "/a", Some(12), "[]")),
            ("4{}", (wire::CONNECT_ERROR, 0, "", None, "{}")),
            ("51-[1]", (wire::BINARY_EVENT, 1, "", None, "[1]")),
            ("610-/é,007[]", (wire::BINARY_ACK, 10, "/é", Some(7), "[]")),
        ] {
            assert_eq!(parsed(text), head, "{text}");
        }
    }

    #[test]
    fn a_query_string_is_part_of_the_namespace() {
        assert_eq!(parsed("0/admin?token=1234&a=b,{}"), (wire::CONNECT, 0, "/admin?token=1234&a=b", None, "{}"));
    }

    #[test]
    fn a_text_without_a_known_type_is_rejected() {
        for text in ["", " ", "7", "9", "-1", "a", "é", "\u{663}", "\0"] {
            assert_eq!(Head::parse(text, 10), Err(PacketError::UnknownType), "{text:?}");
        }
    }

    #[test]
    fn an_attachment_count_is_a_positive_integer_within_the_limit() {
        for text in ["5", "51", "5-", "50-", "500-", "51.0-", "5 1-", "5+1-", "5-1-", "51e0-", "50x1-", "5\"1\"-"] {
            assert_eq!(Head::parse(text, 10), Err(PacketError::AttachmentCount), "{text:?}");
        }
        for text in ["511-", "599999999999999999999999-", "518446744073709551616-"] {
            assert_eq!(Head::parse(text, 10), Err(PacketError::TooManyAttachments { most: 10 }), "{text:?}");
        }
        assert_eq!(Head::parse("51-", 0), Err(PacketError::TooManyAttachments { most: 0 }));
    }

    #[test]
    fn an_ack_id_is_at_most_the_largest_safe_integer() {
        assert_eq!(parsed("29007199254740991[]").3, Some(9_007_199_254_740_991));
        for id in ["9007199254740992", "9223372036854775808", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(Head::parse(&format!("2{id}[]"), 10), Err(PacketError::AckIdTooLarge), "{id}");
        }
    }
}
