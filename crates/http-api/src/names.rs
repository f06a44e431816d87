//! The schemas of names, as the OpenAPI document has them.

use utoipa::ToSchema;

/// The id of a room, client, user or node: 1 to 128 bytes of UTF-8 without control characters.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$", example = "lobby")]
pub(crate) struct Name(#[allow(dead_code, reason = "only its schema is used")] String);

/// The name of an event: 1 to 64 bytes of UTF-8 without control characters. Names that client libraries use for their own
/// events, such as `connect` and `disconnect`, are reserved.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$", example = "announcement")]
pub(crate) struct EventText(#[allow(dead_code, reason = "only its schema is used")] String);
