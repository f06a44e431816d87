//! The OpenAPI document.

use std::sync::Arc;

use axum::{Extension, Json, extract::OriginalUri};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, OpenApi as Document, Ref, RefOr, Response, ServerBuilder,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{
    live_item::LiveItem,
    problem::{MEDIA_TYPE, Problem},
};

/// The description of the API, without its paths: the router adds these.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Roomwire",
        description = "Sends messages to the clients of a Roomwire service, and reads and changes its rooms, clients and nodes. \
                       Ids in paths are percent-encoded, also their slashes."
    ),
    components(schemas(LiveItem, Problem)),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Description;

/// Every request needs the token.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", scheme);
    }
}

/// The document without paths.
pub(crate) fn description() -> Document {
    Description::openapi()
}

/// Adds the errors that every route has to each of them.
pub(crate) fn with_common_errors(mut document: Document) -> Document {
    for path in document.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.post, &mut path.patch, &mut path.put, &mut path.delete].into_iter().flatten();
        for operation in operations {
            add_errors(operation);
        }
    }
    document
}

fn add_errors(operation: &mut Operation) {
    let takes_body = operation.request_body.is_some();
    let takes_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let everywhere: &[_] = &[(401, "The token is missing or wrong."), (500, "The server failed; its log says why.")];
    let of_state: &[_] = &[(503, "The shared state cannot be reached, refuses, or the node shuts down.")];
    let of_parameters: &[_] =
        &[(404, "No gateway of this node serves the namespace."), (422, "A parameter or the body is not valid.")];
    let of_body: &[_] = &[
        (408, "The body did not come in time."),
        (413, "The body is larger than api.bodyLimit, or the message than the limit between nodes."),
        (415, "The body is not JSON."),
    ];
    let mut add = |errors: &[(u16, &str)]| {
        for (status, description) in errors {
            let of_status = operation.responses.responses.entry(status.to_string());
            of_status.or_insert_with(|| Response::new(*description).into());
        }
    };
    add(everywhere);
    add(of_state);
    if takes_parameters {
        add(of_parameters);
    }
    if takes_body {
        add(of_body);
    }
    let errors = operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5']));
    for (_, response) in errors {
        if let RefOr::T(response) = response {
            let schema = Ref::from_schema_name(Problem::name());
            response.content.insert(MEDIA_TYPE.to_owned(), Content::new(Some(schema)).into());
        }
    }
}

/// Describes this API
///
/// The OpenAPI 3.1 document of all paths.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "document", operation_id = "readDocument", responses((status = 200, description = "The document.", body = Object)))]
pub(crate) async fn read(
    Extension(document): Extension<Arc<Document>>,
    OriginalUri(uri): OriginalUri,
) -> Json<Document> {
    let mut document = Document::clone(&document);
    // Where the app has nested the routes.
    let nested = uri.path().strip_suffix("/v1/openapi.json").unwrap_or_default();
    document.servers = Some(vec![ServerBuilder::new().url(if nested.is_empty() { "/" } else { nested }).build()]);
    Json(document)
}
