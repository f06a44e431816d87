//! CORS: which pages may read a response.

use std::time::Duration;

use http::{Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use super::Page;

/// How long a browser may remember that a page may ask.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The layers that add CORS headers to responses, and answer preflight requests.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    allowed: CorsLayer,
    refused: CorsLayer,
}

impl Cors {
    pub(crate) fn new() -> Self {
        let layer = || {
            CorsLayer::new()
                .allow_methods([Method::GET, Method::POST])
                .allow_headers(AllowHeaders::mirror_request())
                .expose_headers([header::RETRY_AFTER])
        };
        Self {
            allowed: layer().allow_origin(AllowOrigin::mirror_request()).allow_credentials(true).max_age(MAX_AGE),
            // A page that may not connect may read why. It gets nothing else: its requests are refused before a session
            // or a cookie is looked at, the text is the same for every visitor, and `*` has browsers leave credentials
            // out. Its preflight request succeeds, so that the browser sends the actual request and the page can read
            // the refusal.
            refused: layer().allow_origin(Any),
        }
    }

    /// The layer for responses to this page. None for one that browsers let read them anyway.
    pub(crate) fn layer_for(&self, page: &Page) -> Option<&CorsLayer> {
        match page {
            Page::SameOrigin => None,
            Page::Allowed => Some(&self.allowed),
            Page::Refused(_) => Some(&self.refused),
        }
    }
}
