//! The checks that every request to the service's path must pass before anything is done for it.

mod client_address;
mod cors;
mod forwarded;
mod host;
mod origin;
mod ticket;

use std::net::IpAddr;

use axum::body::Body;
use http::{Request, Response, header};
use roomwire_core::{ErrorCode, Escaped, WebSocketConfig};
use tower_http::cors::CorsLayer;

pub use self::client_address::ClientAddress;
pub(crate) use self::origin::{Page, Reason, RefusedOrigin};
use self::{
    client_address::{Source, TrustedProxies},
    cors::Cors,
    origin::AllowedOrigins,
    ticket::{NoTicket, Tickets},
};
use crate::{refusals::Refusals, rejection};

/// Decides which requests reach the engine, and by which session id.
#[derive(Debug)]
pub(crate) struct HandshakeCheck {
    origins: AllowedOrigins,
    tickets: Tickets,
    proxies: TrustedProxies,
    cors: Cors,
    max_headers: usize,
    max_head_bytes: usize,
    refusals: Refusals,
}

/// The address that limits by address count a request by: an extension of requests to which they apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitedAddress(pub(crate) IpAddr);

/// A head that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OversizedHead {
    /// More headers than `limits.headers`.
    Headers,
    /// More bytes than `limits.headerBytes`.
    Bytes,
}

impl HandshakeCheck {
    pub(crate) fn new(config: &WebSocketConfig, refusals: Refusals) -> Self {
        Self {
            origins: AllowedOrigins::new(&config.allowed_origins),
            tickets: Tickets::new(),
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

    /// Notes where a request of this page comes from, and replaces the ticket of its session by the session's id.
    ///
    /// # Errors
    /// The response when it is refused: 431 with `LIMIT_EXCEEDED` for its head, 403 with `FORBIDDEN` for its page, and
    /// the engine's answer about an unknown session when it does not show the session's ticket.
    #[expect(clippy::result_large_err, reason = "it is returned as the response at once")]
    pub(crate) fn admit<B>(&self, page: &Page, request: &mut Request<B>) -> Result<(), Response<Body>> {
        let source = self.proxies.source(request.extensions(), request.headers());
        if let Some(oversized) = self.oversized_head(request) {
            self.refusals.oversized_head(oversized, source.map(|source| source.address));
            return Err(rejection::head_too_large(oversized));
        }
        if let Page::Refused(origin) = page {
            self.refusals.origin(origin);
            return Err(rejection::forbidden(origin.advice()));
        }
        let exchanged = self.tickets.exchange(request.uri()).map_err(|NoTicket| {
            self.refusals.unknown_session();
            rejection::unknown_session()
        })?;
        if let Some(uri) = exchanged {
            *request.uri_mut() = uri;
        }
        if let Some(Source { address, is_limited }) = source {
            request.extensions_mut().insert(ClientAddress(address));
            if is_limited {
                request.extensions_mut().insert(LimitedAddress(address));
            }
        }
        Ok(())
    }

    /// The response that opens a session over HTTP requests, with the session's ticket in place of its id.
    pub(crate) async fn reveal(&self, response: Response<Body>) -> Response<Body> {
        /// The open packet is shorter than this.
        const LONGEST: usize = 4096;
        if !response.status().is_success() {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let packet = match axum::body::to_bytes(body, LONGEST).await {
            Ok(packet) => packet,
            Err(error) => {
                tracing::error!(target: "roomwire", error = %Escaped(&error), "the engine's open packet cannot be read");
                return rejection::unavailable(&ErrorCode::Internal.into());
            }
        };
        head.headers.remove(header::CONTENT_LENGTH);
        let body = self.tickets.reveal(&packet).map_or_else(|| Body::from(packet), Body::from);
        Response::from_parts(head, body)
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
