//! Grants in a token's claims, which apply without code of the application.

use serde_json::Value;
use wildmatch::WildMatch;

use crate::{Metadata, RoomId};

/// The grants in a client's claims.
///
/// | claim | what it grants |
/// |---|---|
/// | `"rooms": ["lobby", "team-7-*"]` | to join these rooms and no others |
/// | `"rooms": {"join": […], "publish": […], "members": […]}` | to join; to publish and to read members without being a member |
/// | `"message": true` | to send to any client |
///
/// In a pattern `*` matches any text, including none, and `?` any one character; everything else matches itself. A
/// claim of another shape grants nothing.
///
/// ```
/// use roomwire_core::{Grants, RoomId};
/// use serde_json::json;
///
/// let claims = json!({ "rooms": { "join": ["team-7-*"], "publish": ["news"] } });
/// let grants = Grants::of(claims.as_object().expect("an object"));
/// assert_eq!(grants.join(&RoomId::new("team-7-chat")?), Some(true));
/// assert_eq!(grants.join(&RoomId::new("team-8-chat")?), Some(false));
/// assert!(grants.publish(&RoomId::new("news")?));
/// # Ok::<(), roomwire_core::NameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    join: Option<Vec<String>>,
    publish: Vec<String>,
    members: Vec<String>,
    message: bool,
}

impl Grants {
    /// Reads claims.
    #[must_use]
    pub fn of(claims: &Metadata) -> Self {
        let message = claims.get("message").is_some_and(|granted| *granted == true);
        match claims.get("rooms") {
            None => Self { message, ..Self::default() },
            Some(Value::Object(rooms)) => Self {
                join: Some(patterns(rooms.get("join"))),
                publish: patterns(rooms.get("publish")),
                members: patterns(rooms.get("members")),
                message,
            },
            other => Self { join: Some(patterns(other)), message, ..Self::default() },
        }
    }

    /// Whether the client may join the room. `None` if the claims contain no grants of rooms.
    #[must_use]
    pub fn join(&self, room: &RoomId) -> Option<bool> {
        self.join.as_ref().map(|patterns| name(patterns, room))
    }

    /// Whether the client may publish to the room without being a member.
    #[must_use]
    pub fn publish(&self, room: &RoomId) -> bool {
        name(&self.publish, room)
    }

    /// Whether the client may read the members of the room without being one.
    #[must_use]
    pub fn read_members(&self, room: &RoomId) -> bool {
        name(&self.members, room)
    }

    /// Whether the client may send to any client.
    #[must_use]
    pub fn message(&self) -> bool {
        self.message
    }
}

fn patterns(claim: Option<&Value>) -> Vec<String> {
    let listed = claim.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    listed.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn name(patterns: &[String], room: &RoomId) -> bool {
    patterns.iter().any(|pattern| WildMatch::new(pattern).matches(room))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Grants;
    use crate::RoomId;

    fn grants(claims: &Value) -> Grants {
        Grants::of(claims.as_object().expect("an object"))
    }

    fn room(name: &str) -> RoomId {
        RoomId::new(name).expect("valid")
    }

    #[test]
    fn a_pattern_stands_for_the_whole_name_and_only_its_wildcards_for_other_text() {
        let granted = grants(&json!({ "rooms": ["lobby", "team-*-chat", "a?c", "[x]"] }));
        for name in ["lobby", "team-7-chat", "team--chat", "abc", "[x]"] {
            assert_eq!(granted.join(&room(name)), Some(true), "{name}");
        }
        for name in ["lobby2", "my-lobby", "Lobby", "team-7-chats", "ac", "abbc", "x"] {
            assert_eq!(granted.join(&room(name)), Some(false), "{name}");
        }
    }

    #[test]
    fn joining_grants_neither_publishing_nor_reading_without_membership() {
        let granted = grants(&json!({ "rooms": ["*"] }));
        assert!(!granted.publish(&room("a")) && !granted.read_members(&room("a")) && !granted.message());
    }

    #[test]
    fn claims_of_another_shape_grant_nothing() {
        for rooms in [json!("*"), json!(true), json!(null), json!({}), json!([1, ["*"]]), json!({ "join": "*" })] {
            assert_eq!(grants(&json!({ "rooms": rooms.clone() })).join(&room("a")), Some(false), "{rooms}");
        }
        for message in [json!("true"), json!(1), json!(null), json!(["*"])] {
            assert!(!grants(&json!({ "message": message })).message());
        }
        assert_eq!(grants(&json!({})).join(&room("a")), None);
    }
}
