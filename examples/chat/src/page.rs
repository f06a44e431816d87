//! The chat's page.

use std::path::Path;

use axum::{
    Router,
    http::{HeaderValue, header},
};
use tower_http::{services::ServeDir, set_header::SetResponseHeaderLayer};

/// Serves the files of `page/`, found where the example was built.
pub(crate) fn router() -> Router {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                  connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let secure = SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Router::new().fallback_service(ServeDir::new(files)).layer(secure)
}
