//! The HTTP API: `api`.

use super::{ConfigKey, key};
use crate::config::field::Field;

pub(super) static KEYS: &[ConfigKey] = &[
    key("api.token", "The token for the HTTP API, which is off without one; never shown.", |c| {
        Field::Token(&mut c.api.token)
    })
    .at_once(),
    key("api.host", "The address on which the HTTP API listens.", |c| Field::Address(&mut c.api.host)),
    key("api.port", "The port on which the HTTP API listens; 0 picks a free one.", |c| {
        Field::count(&mut c.api.port, 0..=65_535)
    }),
    key("api.bodyLimit", "The largest body of a request to the HTTP API.", |c| {
        Field::bytes(&mut c.api.body_limit, 1024..=67_108_864)
    })
    .at_once(),
];
