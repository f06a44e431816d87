//! Responses of scripts.

use std::vec;

use redis::{FromRedisValue, Value};
use roomwire_core::StateError;

use crate::refusal::damaged;

/// The items of a response that begins with `OK`.
#[derive(Debug)]
pub(crate) struct Reply {
    script: &'static str,
    items: vec::IntoIter<Value>,
}

impl Reply {
    /// Parses a response; a refusal becomes its error.
    pub(crate) fn read(script: &'static str, value: Value) -> Result<Self, StateError> {
        let Value::Array(items) = value else { return Err(unexpected(script, "a list")) };
        let mut items = items.into_iter();
        let status = items.next().map(redis::from_redis_value::<String>);
        match status {
            Some(Ok(status)) => match status.as_str() {
                "OK" => Ok(Self { script, items }),
                "FENCED" => Err(StateError::Fenced),
                "CLIENT" => Err(StateError::ClientNotFound),
                "FULL" => Err(StateError::RoomFull),
                "CLOSED" => Err(StateError::RoomClosed),
                "MISSING" => Err(StateError::RoomNotFound),
                "EXISTS" => Err(StateError::RoomExists),
                "RECOVERING" => Err(StateError::unavailable(
                    "Redis lost data a moment ago, or what it holds of this room cannot be read; newcomers, new rooms and changes are \
                     accepted again when the nodes have mended that",
                )),
                _ => Err(unexpected(script, "a status that this version knows")),
            },
            _ => Err(unexpected(script, "a status")),
        }
    }

    /// The next item.
    pub(crate) fn next<T: FromRedisValue>(&mut self) -> Result<T, StateError> {
        let value = self.next_value();
        redis::from_redis_value(value).map_err(|error| {
            StateError::Refused(damaged(self.script, format!("gave an answer that cannot be read: {error}")))
        })
    }

    /// The next item, a list. Unreadable entries are omitted: an entry that another program wrote must not hide the
    /// others.
    pub(crate) fn next_readable<T: FromRedisValue>(&mut self) -> Result<Vec<T>, StateError> {
        let items: Vec<Value> = self.next()?;
        Ok(items.into_iter().filter_map(|item| redis::from_redis_value(item).ok()).collect())
    }

    /// The next item as it is; `None` if there is none, or the script returned `false`.
    pub(crate) fn next_value(&mut self) -> Value {
        self.items.next().unwrap_or(Value::Nil)
    }
}

fn unexpected(script: &'static str, wanted: &str) -> StateError {
    StateError::Refused(damaged(script, format!("did not answer with {wanted}")))
}

/// A stored name or number that is not in the format of this service.
pub(crate) fn corrupt(what: &'static str, text: &str) -> StateError {
    StateError::Refused(damaged(what, format!("{text:?} is not valid")))
}
