//! Pagination of long lists.

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

    /// The first page of at most `limit` items; the limit is clamped between 1 and [`Self::MAX_LIMIT`].
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit: limit.clamp(1, Self::MAX_LIMIT) }
    }

    /// The page that [`Page::next`] points to.
    #[must_use]
    pub fn after(cursor: impl Into<String>, limit: usize) -> Self {
        Self { after: Some(cursor.into()), limit: limit.clamp(1, Self::MAX_LIMIT) }
    }

    /// The cursor; `None` for the first page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The most items. A backend may return fewer, or a few more.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// One page, and the cursor of the next one.
///
/// An item that exists while all pages are read is on at least one of them. An item that is added or removed meanwhile
/// may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor for [`PageRequest::after`]; `None` for the last page.
    pub next: Option<String>,
}
