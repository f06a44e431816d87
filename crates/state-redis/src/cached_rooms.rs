//! The settings of rooms with local members, cached to restore them when Redis lost its data.

use std::collections::HashMap;

use parking_lot::Mutex;
use redis::{FromRedisValue, Value};
use roomwire_core::{RoomKey, RoomUid};
use serde::Deserialize;

use crate::keys::room_name;

/// The settings of one incarnation of a room. Only the scripts interpret them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The number of changes.
    pub(crate) version: u64,
    fields: Vec<Option<String>>,
    uid: String,
}

/// The settings of rooms that were changed at least once, by the room's name.
#[derive(Debug, Default)]
pub(crate) struct CachedRooms(Mutex<HashMap<String, Settings>>);

impl Settings {
    /// Parses settings from a script; `None` if there are none.
    pub(crate) fn read(version: u64, uid: RoomUid, fields: Value) -> Option<Self> {
        if matches!(fields, Value::Nil) {
            // The caller knows them already. Parsed as a list they would be empty settings.
            return None;
        }
        let fields = Vec::<Option<String>>::from_redis_value(fields).ok()?;
        Some(Self { version, fields, uid: uid.as_u64().to_string() })
    }

    /// As an argument of `restore.lua`.
    pub(crate) fn into_parts(self) -> (u64, Vec<Option<String>>, String) {
        (self.version, self.fields, self.uid)
    }
}

impl CachedRooms {
    /// The cached version; empty if there is none.
    pub(crate) fn version(&self, room: &RoomKey) -> String {
        self.0.lock().get(&room_name(room)).map_or_else(String::new, |known| known.version.to_string())
    }

    /// Stores the result of a join or a change of this node.
    pub(crate) fn note(&self, room: &RoomKey, settings: Settings) {
        if settings.version == 0 {
            // A room that a join created, without settings: nothing would be lost.
            self.forget(room);
        } else {
            self.0.lock().insert(room_name(room), settings);
        }
    }

    /// Stores another node's change. It may arrive late.
    pub(crate) fn hear(&self, text: &[u8]) {
        let Ok(Change(room, uid, version, fields)) = serde_json::from_slice(text) else { return };
        let mut known = self.0.lock();
        if known.get(&room).is_none_or(|known| known.uid != uid || known.version < version) {
            let fields = fields.into_iter().map(|field| field.as_str().map(str::to_owned)).collect();
            known.insert(room, Settings { version, fields, uid });
        }
    }

    /// Removes a room without local members.
    pub(crate) fn forget(&self, room: &RoomKey) {
        self.0.lock().remove(&room_name(room));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Settings> {
        self.0.lock().get(name).cloned()
    }
}

/// Parses the message of `room_settings.lua`: room, uid, version, fields (`false` for those that are not set).
#[derive(Deserialize)]
struct Change(String, String, u64, Vec<serde_json::Value>);

#[cfg(test)]
mod tests {
    use redis::Value;
    use roomwire_core::{Namespace, RoomId, RoomKey, RoomUid};

    use super::{CachedRooms, Settings};

    fn room() -> RoomKey {
        RoomKey::new(Namespace::root(), RoomId::new("r").expect("valid"))
    }

    #[test]
    fn an_answer_that_leaves_the_settings_out_is_no_room_without_settings() {
        assert_eq!(Settings::read(3, RoomUid::from_u64(7), Value::Nil), None);
    }

    #[test]
    fn a_late_message_does_not_bring_old_settings_back() {
        let rooms = CachedRooms::default();
        let settings = Settings::read(3, RoomUid::from_u64(7), Value::Array(vec![Value::Nil]));
        rooms.note(&room(), settings.expect("reads"));
        rooms.hear(br#"["/,r","7",2,["old"]]"#);
        assert_eq!(rooms.version(&room()), "3");
        rooms.hear(br#"["/,r","7",4,["new",false]]"#);
        assert_eq!(rooms.get("/,r").expect("known").fields, [Some("new".to_owned()), None]);
        rooms.hear(b"garbage");
        assert_eq!(rooms.version(&room()), "4");
    }
}
