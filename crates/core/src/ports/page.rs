//! Reading long lists a page at a time.

use serde::{Deserialize, Serialize};

/// Which page to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    after: Option<String>,
    limit: usize,
}

impl PageRequest {
    /// The most items one page may ask for.
    pub const MAX_LIMIT: usize = 1000;

    /// The first page of at most `limit` items; the limit is held between 1 and [`Self::MAX_LIMIT`].
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit: limit.clamp(1, Self::MAX_LIMIT) }
    }

    /// The page that [`Page::next`] pointed to.
    #[must_use]
    pub fn after(cursor: impl Into<String>, limit: usize) -> Self {
        Self { after: Some(cursor.into()), limit: limit.clamp(1, Self::MAX_LIMIT) }
    }

    /// The cursor, none for the first page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The most items wanted. A backend may return fewer, or a few more.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// One page, and where the next one starts.
///
/// An item that exists while all pages are read is on at least one of them. One that comes or goes
/// meanwhile may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor for [`PageRequest::after`]; none when this was the last page.
    pub next: Option<String>,
}
