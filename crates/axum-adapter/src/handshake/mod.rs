//! The checks that every request to the service's path must pass before anything is done for it.

mod client_address;
mod cors;
mod forwarded;
mod host;
mod origin;

use std::net::IpAddr;

use axum::body::Body;
use http::{Request, Response};
use roomwire_core::WebSocketConfig;
use tower_http::cors::CorsLayer;

pub use self::client_address::ClientAddress;
pub(crate) use self::origin::Page;
use self::{
    client_address::{Source, TrustedProxies},
    cors::Cors,
    origin::AllowedOrigins,
};
use crate::{oversized_head::OversizedHead, refusals::Refusals, rejection};

/// Decides which requests reach the sessions.
#[derive(Debug)]
pub(crate) struct HandshakeCheck {
    origins: AllowedOrigins,
    proxies: TrustedProxies,
    cors: Cors,
    max_headers: usize,
    max_head_bytes: usize,
    refusals: Refusals,
}

/// The address that limits by address count a request by: an extension of requests to which they apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitedAddress(pub(crate) IpAddr);

impl HandshakeCheck {
    pub(crate) fn new(config: &WebSocketConfig, refusals: Refusals) -> Self {
        Self {
            origins: AllowedOrigins::new(&config.allowed_origins),
            proxies: TrustedProxies::new(&config.trusted_proxies),
            cors: Cors::new(),
            max_headers: config.limits.headers,
            max_head_bytes: config.limits.header_bytes,
            refusals,
        }
    }

    /// The page that a request comes from.
    pub(crate) fn page<B>(&self, request: &Request<B>) -> Page {
        self.origins.judge(request)
    }

    /// Adds the CORS headers of responses to a page.
    pub(crate) fn cors(&self, page: &Page) -> Option<&CorsLayer> {
        self.cors.layer_for(page)
    }

    /// Notes where a request of this page comes from.
    ///
    /// # Errors
    /// The response when it is refused: 431 with `LIMIT_EXCEEDED` for its head, 403 with `FORBIDDEN` for its page.
    #[expect(clippy::result_large_err, reason = "it is returned as the response at once")]
    pub(crate) fn admit<B>(&self, page: &Page, request: &mut Request<B>) -> Result<(), Response<Body>> {
        let source = self.proxies.source(request.extensions(), request.headers());
        if let Some(oversized) = self.oversized_head(request) {
            self.refusals.oversized_head(oversized, source.map(|source| source.address));
            return Err(rejection::head_too_large(oversized));
        }
        if let Page::Refused(origin) = page {
            self.refusals.origin(origin.cause(), origin.key(), &origin.advice(), &origin.name);
            return Err(rejection::forbidden(origin.advice()));
        }
        if let Some(Source { address, is_limited }) = source {
            request.extensions_mut().insert(ClientAddress(address));
            if is_limited {
                request.extensions_mut().insert(LimitedAddress(address));
            }
        }
        Ok(())
    }

    fn oversized_head<B>(&self, request: &Request<B>) -> Option<OversizedHead> {
        /// The colon and the space after a name, and the end of the line.
        const AROUND: usize = 4;
        let headers = request.headers();
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND).sum::<usize>();
        match () {
            () if headers.len() > self.max_headers => Some(OversizedHead::Headers),
            () if target + lines > self.max_head_bytes => Some(OversizedHead::Bytes),
            () => None,
        }
    }
}
