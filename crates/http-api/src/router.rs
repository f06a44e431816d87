//! All routes, with what each request passes before it reaches its own.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::OriginalUri,
    middleware::{from_fn_with_state, map_response},
    response::Response,
};
use http::{HeaderValue, Method, header};
use roomwire_axum_adapter::RoomwireLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Api, authorization, clients, document, follow, idempotency, messages, nodes, problem::Problem, rooms,
    settings, status, users,
};

/// The routes of the HTTP API, all below `/v1`, for an app that serves them itself. [`start`](crate::start) serves them on
/// an address of their own.
///
/// Nest them into the app's router; the paths of the OpenAPI document follow. Without `api.token`, and with
/// `enabled = false`, there are no routes, and one line at info says so. They are for other programs and for operators: do
/// not serve them where clients reach them, unless over TLS.
///
/// Each request has at most `limits.handshakeTimeout` for its body. Its calls of the store take no longer than
/// `state.timeout`.
///
/// ```
/// # fn app(layer: roomwire_axum_adapter::RoomwireLayer) -> axum::Router {
/// use axum::Router;
///
/// let app: Router = Router::new().nest("/operations", roomwire_http_api::routes(&layer));
/// app.layer(layer) // GET /operations/v1/rooms
/// # }
/// ```
pub fn routes<S>(layer: &RoomwireLayer) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Api::new(layer).map_or_else(Router::new, of)
}

/// The routes of an API with a token.
pub(crate) fn of<S>(api: Api) -> Router<S> {
    let (routes, document) = documented(&api).split_for_parts();
    routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(Extension(Arc::new(document::with_common_errors(document))))
        .layer(from_fn_with_state(api.clone(), authorization::check))
        .layer(map_response(not_stored))
        .with_state(api)
}

fn documented(api: &Api) -> OpenApiRouter<Api> {
    let sends = OpenApiRouter::new()
        .routes(routes!(messages::broadcast))
        .routes(routes!(messages::to_room))
        .routes(routes!(messages::to_client))
        .routes(routes!(messages::to_user))
        .layer(from_fn_with_state(api.clone(), idempotency::once));
    OpenApiRouter::with_openapi(document::description())
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::read, rooms::change, rooms::delete))
        .routes(routes!(rooms::members))
        .routes(routes!(clients::list))
        .routes(routes!(clients::read, clients::disconnect))
        .routes(routes!(users::clients, users::disconnect))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::drain))
        .routes(routes!(follow::room))
        .routes(routes!(follow::user))
        .routes(routes!(follow::client))
        .routes(routes!(follow::all))
        .routes(routes!(settings::reload))
        .routes(routes!(settings::debug, settings::set_debug))
        .routes(routes!(document::read))
        .merge(sends)
}

async fn no_route(OriginalUri(uri): OriginalUri) -> Problem {
    let problem =
        format!("There is no {}; GET /v1/openapi.json lists the paths, and slashes in ids are written %2F", uri.path());
    Problem::own(status::ROUTE_NOT_FOUND, problem)
}

async fn no_method(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    Problem::own(status::METHOD_NOT_ALLOWED, format!("{} has no method {method}", uri.path()))
}

/// Answers are about this moment, and not for everyone.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
