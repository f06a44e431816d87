//! The handshake guard: what every request to the service's path must show before anything is done for it.

mod client_address;
mod forwarded;
mod origin;
mod ticket;

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use roomwire_core::{Error, ErrorCode, Printable, WebSocketConfig, config::Limits};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

pub use self::client_address::ClientAddress;
use self::{
    client_address::Proxies,
    origin::{Came, Foreign, Origins},
    ticket::{NoTicket, Tickets},
};
use crate::{answer, instruments};

/// How long a browser may remember that a page may ask.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Decides which requests reach the engine, and under which name of a session.
#[derive(Debug)]
pub(crate) struct Guard {
    origins: Origins,
    tickets: Tickets,
    proxies: Proxies,
    headers: usize,
    header_bytes: usize,
    cors: CorsLayer,
}

/// A request that may not.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Its head has more, or larger, headers than it may.
    Head,
    /// It comes from a page that may not connect.
    Origin(Error),
    /// It is for a session whose ticket it does not show.
    Session,
}

impl Refused {
    /// The answer: 431 with `LIMIT_EXCEEDED`, 403 with `FORBIDDEN`, or what the engine says of a session that does not
    /// exist.
    pub(crate) fn answer(&self) -> Response<Body> {
        let (cause, answer) = match self {
            Self::Head => ("head", answer::head_too_large()),
            Self::Origin(error) => ("origin", answer::forbidden(error)),
            Self::Session => ("session", answer::unknown_session()),
        };
        instruments::request_refused(cause);
        answer
    }
}

/// A request that may go on.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Whether a page elsewhere must be told that it may read the answer.
    pub(crate) is_cross_origin: bool,
}

impl Guard {
    pub(crate) fn new(config: &WebSocketConfig) -> Self {
        let origins = Origins::new(&config.allowed_origins);
        let listed = origins.clone();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| listed.lists(origin)))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([header::RETRY_AFTER])
            .allow_credentials(true)
            .max_age(REMEMBERED);
        let Limits { headers, header_bytes, .. } = config.limits;
        let (tickets, proxies) = (Tickets::new(), Proxies::new(&config.trusted_proxies));
        Self { origins, tickets, proxies, headers, header_bytes, cors }
    }

    /// Tells a request that may go on where it comes from, and puts the session's name in the place of its ticket.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn admit<B>(&self, request: &mut Request<B>) -> Result<Passed, Refused> {
        if self.has_too_large_a_head(request.uri(), request.headers()) {
            return Err(Refused::Head);
        }
        let came = self.origins.check(request.uri(), request.headers()).map_err(|Foreign(origin)| {
            let problem = format!("Pages of {origin} may not connect here; allowedOrigins lists those that may");
            Refused::Origin(Error::with_message(ErrorCode::Forbidden, problem))
        })?;
        let exchanged = self.tickets.exchange(request.uri()).map_err(|NoTicket| Refused::Session)?;
        if let Some(uri) = exchanged {
            *request.uri_mut() = uri;
        }
        if let Some(address) = self.proxies.client(request.extensions(), request.headers()) {
            request.extensions_mut().insert(ClientAddress(address));
        }
        Ok(Passed { is_cross_origin: came == Came::Listed })
    }

    /// What lets pages of listed origins read answers.
    pub(crate) fn cors(&self) -> &CorsLayer {
        &self.cors
    }

    /// The answer by which a session over HTTP requests begins, with its ticket instead of its name.
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
                tracing::error!(target: "roomwire", error = %Printable(&error), "the engine began a session in words that are not understood");
                return answer::unavailable(&ErrorCode::Internal.into());
            }
        };
        head.headers.remove(header::CONTENT_LENGTH);
        let body = self.tickets.reveal(&packet).map_or_else(|| Body::from(packet), Body::from);
        Response::from_parts(head, body)
    }

    fn has_too_large_a_head(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        /// The colon and the space after a name, and the end of the line.
        const AROUND: usize = 4;
        let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
        let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND).sum::<usize>();
        headers.len() > self.headers || target + lines > self.header_bytes
    }
}
