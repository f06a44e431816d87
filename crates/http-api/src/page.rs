//! Lists that are read in pages.

use roomwire_core::{Error, Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The items of a page unless the request says.
const LIMIT: usize = 100;

/// The namespace of a request.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InNamespace {
    /// The namespace. It must be one that the gateways of this node serve.
    #[param(default = "/", nullable = false, max_length = 128, pattern = "^/[^,?{}\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub(crate) namespace: Option<String>,
}

/// The namespace, and the page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InPages {
    /// The namespace. It must be one that the gateways of this node serve.
    #[param(default = "/", nullable = false, max_length = 128, pattern = "^/[^,?{}\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub(crate) namespace: Option<String>,
    /// The `next` of the page before; absent for the first page.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// The number of items to ask for. A page may have fewer, or a few more.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

impl InPages {
    /// # Errors
    /// `INVALID_PAYLOAD` for a limit that is not allowed.
    pub(crate) fn page(&self) -> Result<PageRequest, Error> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=PageRequest::MAX_LIMIT).contains(&limit) {
            let problem = format!("expected a whole number from 1 to {}", PageRequest::MAX_LIMIT);
            return Err(Error::invalid_field("limit", &problem));
        }
        Ok(match &self.cursor {
            Some(cursor) => PageRequest::after(cursor.as_str(), limit),
            None => PageRequest::first(limit),
        })
    }
}

/// One page of a list. An item that exists while all pages are read is on at least one of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    /// The cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

impl<T> Listed<T> {
    /// The page with its items as the API shows them.
    pub(crate) fn of<U>(page: Page<U>) -> Self
    where
        T: From<U>,
    {
        Self { items: page.items.into_iter().map(T::from).collect(), next: page.next }
    }
}
