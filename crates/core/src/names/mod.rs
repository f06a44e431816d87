//! Validated names: once a value of these types exists, its rules hold.
//!
//! | name | bytes | other rules |
//! |---|---|---|
//! | [`RoomId`], [`ClientId`], [`UserId`], [`NodeId`], [`ConflationKey`] | 1–128 | UTF-8 without control characters |
//! | [`TokenId`] | 1–256 | the same |
//! | [`EventName`] | 1–64 | the same, and none of Socket.IO's own names |
//! | [`Namespace`] | 1–128 | the same, starts with `/`, no `,` or `?` |

mod error;
mod event;
mod id;
mod key;
mod namespace;
mod node;
mod rule;
mod to_name;

pub(crate) use error::INVALID_NAME_MARK;
pub use error::NameError;
pub use event::EventName;
pub use id::{ClientId, ConflationKey, NodeId, RoomId, TokenId, UserId};
pub use key::{ClientKey, RoomKey};
pub use namespace::Namespace;
pub use node::{Incarnation, NodeProcess};
pub use to_name::{ToClientId, ToRoom};
