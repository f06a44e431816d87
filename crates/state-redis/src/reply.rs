//! What scripts answer.

use std::vec;

use redis::{FromRedisValue, Value};
use roomwire_core::StateError;

/// The items of an answer that begins with `OK`.
#[derive(Debug)]
pub(crate) struct Reply {
    script: &'static str,
    items: vec::IntoIter<Value>,
}

impl Reply {
    /// Reads an answer; a refusal becomes the error it stands for.
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
                    "Redis lost data a moment ago; newcomers and new rooms are accepted again when the members are back",
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
            StateError::unavailable(format!(
                "script {} of Redis gave an answer that cannot be read: {error}",
                self.script
            ))
        })
    }

    /// The next item as it is; nothing when there is none, or the script said `false`.
    pub(crate) fn next_value(&mut self) -> Value {
        self.items.next().unwrap_or(Value::Nil)
    }
}

fn unexpected(script: &'static str, wanted: &str) -> StateError {
    StateError::unavailable(format!("script {script} of Redis did not answer with {wanted}"))
}

/// A name or a number that Redis holds for us and that is not as we wrote it.
pub(crate) fn corrupt(what: &str, text: &str) -> StateError {
    StateError::unavailable(format!("{what} in Redis is not valid: {text:?}; does something else write to these keys?"))
}
