//! What can be done to a key.

use roomwire_test_servers::RedisServer;

/// How a key is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// It is deleted.
    Lost,
    /// A part of it is removed: one field or entry.
    Part,
    /// It is another program's text.
    Foreign,
    /// It has the right type, and each value in it is garbage; so are some entries more.
    Garbage,
    /// Each number in it is too great for a counter, or for a reader.
    TooGreat,
    /// Each text in it is bytes that are no UTF-8; so are some entries more.
    NoText,
}

pub(crate) const OF_KEYS: [Damage; 4] = [Damage::Lost, Damage::Part, Damage::Foreign, Damage::Garbage];
pub(crate) const OF_VALUES: [Damage; 2] = [Damage::TooGreat, Damage::NoText];

/// Clients that garbage names.
pub(crate) const MADE_UP: [&str; 2] = ["ghost", "another"];

/// A kind of key: every one of `keys.rs` and the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Incarnations,
    Dead,
    Over,
    Lease,
    Counters,
    Reaped,
    Writes,
    Memberships,
    Clients,
    Client,
    NamespaceClients,
    NamespaceRooms,
    UserClients,
    RoomWithMembers,
    RoomWithoutMembers,
    ClosedRoom,
    Members,
    Revocations,
    RevocationEnds,
    /// What others removed of an incarnation.
    Removed,
    /// The members of a room that was deleted.
    Deleted,
}

pub(crate) const KINDS: [Kind; 21] = [
    Kind::Incarnations,
    Kind::Dead,
    Kind::Over,
    Kind::Lease,
    Kind::Counters,
    Kind::Reaped,
    Kind::Writes,
    Kind::Memberships,
    Kind::Clients,
    Kind::Client,
    Kind::NamespaceClients,
    Kind::NamespaceRooms,
    Kind::UserClients,
    Kind::RoomWithMembers,
    Kind::RoomWithoutMembers,
    Kind::ClosedRoom,
    Kind::Members,
    Kind::Revocations,
    Kind::RevocationEnds,
    Kind::Removed,
    Kind::Deleted,
];

impl Kind {
    /// Whether it holds settings of a room that no node remembers.
    pub(crate) fn is_known_to_redis_alone(self) -> bool {
        matches!(self, Self::RoomWithoutMembers | Self::ClosedRoom)
    }

    /// The key, for those of one node of this name.
    pub(crate) async fn key(self, redis: &RedisServer, prefix: &str, node: &str) -> String {
        let incarnation = async || {
            let incarnations: Vec<String> = redis.ask(&["HGETALL", &format!("{prefix}:incarnations")]).await;
            let mut incarnations = incarnations.chunks(2).map(|entry| (entry[0].clone(), entry[1].clone()));
            incarnations
                .find(|(incarnation, _)| incarnation.starts_with(&format!("{node}.")))
                .expect("the node has an incarnation")
        };
        let of_node = async |kind: &str| format!("{prefix}:{kind}:{}", incarnation().await.1);
        match self {
            Self::Incarnations => format!("{prefix}:incarnations"),
            Self::Dead => format!("{prefix}:dead"),
            Self::Over => format!("{prefix}:over"),
            Self::Lease => format!("{prefix}:lease"),
            Self::Counters => format!("{prefix}:st"),
            Self::Reaped => format!("{prefix}:reaped"),
            Self::Writes => of_node("l").await,
            Self::Memberships => of_node("n").await,
            Self::Clients => of_node("nc").await,
            Self::Client => format!("{prefix}:c:/,{node}-0"),
            Self::NamespaceClients => format!("{prefix}:cs:/"),
            Self::NamespaceRooms => format!("{prefix}:rs:/"),
            Self::UserClients => format!("{prefix}:us:/,user-0"),
            Self::RoomWithMembers => format!("{prefix}:r:/,club"),
            Self::RoomWithoutMembers => format!("{prefix}:r:/,empty"),
            Self::ClosedRoom => format!("{prefix}:r:/,closed"),
            Self::Members => format!("{prefix}:m:/,hall"),
            Self::Revocations => format!("{prefix}:rv"),
            Self::RevocationEnds => format!("{prefix}:ru"),
            Self::Removed => format!("{prefix}:gone:{}", incarnation().await.0),
            Self::Deleted => {
                let keys: Vec<String> = redis.ask(&["KEYS", &format!("{prefix}:del:*")]).await;
                keys.into_iter().next().expect("a room was deleted")
            }
        }
    }
}

impl Damage {
    pub(crate) async fn inflict(self, redis: &RedisServer, key: &str) {
        let kind: String = redis.ask(&["TYPE", key]).await;
        let ask = async |command: &[&str]| drop(redis.ask::<redis::Value>(command).await);
        match (self, kind.as_str()) {
            (Self::Lost, _) => ask(&["DEL", key]).await,
            (Self::Foreign, "none" | "hash" | "set" | "zset") => {
                ask(&["EVAL", "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'of another program')", "1", key])
                    .await;
            }
            // A setting that is missing looks as one that was never set; a uid is always there.
            (Self::Part, "hash") if key.contains(":r:") => ask(&["HDEL", key, "uid"]).await,
            (Self::Part, "hash") => {
                let field: Vec<String> = redis.ask(&["HRANDFIELD", key, "1"]).await;
                ask(&["HDEL", key, &field[0]]).await;
            }
            (Self::Part, "set") => ask(&["SPOP", key, "1"]).await,
            (Self::Part, "zset") => {
                let entry: Vec<String> = redis.ask(&["ZRANDMEMBER", key, "1"]).await;
                ask(&["ZREM", key, &entry[0]]).await;
            }
            (Self::Garbage, "hash") => {
                // In one step: a field that goes meanwhile must not come back.
                let script = "for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('HSET', KEYS[1], field, 'garbage') end \
                              redis.call('HSET', KEYS[1], 'ghost', 'garbage', 'another', '7777')";
                ask(&["EVAL", script, "1", key]).await;
            }
            (Self::Garbage, "set") => {
                ask(&["SPOP", key, "1"]).await;
                ask(&["SADD", key, "garbage", "/,ghost", "ghost\n/,hall", "ghost\n/,nowhere"]).await;
            }
            (Self::Garbage, "zset") => {
                let entry: Vec<String> = redis.ask(&["ZRANDMEMBER", key, "1"]).await;
                ask(&["ZADD", key, "+inf", "garbage", "7", "8888", "+inf", &entry[0]]).await;
            }
            (Self::TooGreat, "hash") => {
                // As a room's uid the greatest number of a counter is one like any other.
                let script = "for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
                                if string.match(redis.call('HGET', KEYS[1], field), '^%d+$') then
                                  local great = field == 'uid' and string.rep('9', 30) or '9223372036854775807'
                                  redis.call('HSET', KEYS[1], field, great)
                                end
                              end
                              if string.find(KEYS[1], ':st$') then
                                redis.call('HSET', KEYS[1], 'lost', '0', 'recovery', '9223372036854775807')
                              end";
                ask(&["EVAL", script, "1", key]).await;
            }
            (Self::TooGreat, "zset") => {
                let script = "for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
                                redis.call('ZADD', KEYS[1], '9223372036854775807', entry)
                              end";
                ask(&["EVAL", script, "1", key]).await;
            }
            (Self::NoText, "hash") => {
                let script = r#"for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
                                  local text = redis.call('HGET', KEYS[1], field)
                                  if string.sub(text, 1, 1) == '{' then
                                    redis.call('HSET', KEYS[1], field, '{"a":"\255"}')
                                  elseif not string.match(text, '^%d*$') then
                                    redis.call('HSET', KEYS[1], field, '\255')
                                  end
                                end
                                redis.call('HSET', KEYS[1], '\255', '7777', 'rooms:\255', '3', 'r\255', '')
                                if string.find(KEYS[1], ':r:', 1, true) then
                                  redis.call('HSET', KEYS[1], 'name', '\255', 'meta', '{"a":"\255"}')
                                end"#;
                ask(&["EVAL", script, "1", key]).await;
            }
            (Self::NoText, "set") => {
                let script = r"redis.call('SADD', KEYS[1], '\255', '/,\255', '\255\n/,hall', 'ghost\n/,\255')";
                ask(&["EVAL", script, "1", key]).await;
            }
            (Self::NoText, "zset") => ask(&["EVAL", r"redis.call('ZADD', KEYS[1], 7, '\255')", "1", key]).await,
            // There is nothing to damage.
            (Self::Part | Self::Garbage | Self::TooGreat | Self::NoText, "none") | (Self::TooGreat, "set") => {}
            (_, other) => panic!("{key} is a {other}"),
        }
    }
}
