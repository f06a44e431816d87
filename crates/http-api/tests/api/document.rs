//! The OpenAPI document, and what it promises of every route.

use axum::{Router, body::Body};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::fixture::{Node, TOKEN};

/// The methods and paths of the document, with every parameter filled in.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, methods)| {
        let target = path.replace("{room}", "r").replace("{client}", "c").replace("{user}", "u").replace("{node}", "n");
        assert!(!target.contains('{'), "{target}");
        methods.as_object().expect("methods").iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().expect("a method"), target.clone(), operation.clone())
        })
    });
    operations.collect()
}

#[tokio::test]
async fn without_the_token_every_route_and_every_other_path_is_401_whatever_else_the_request_says() {
    let node = Node::new().await;
    let document = node.get("/v1/openapi.json").await.is(200).json();
    let mut targets: Vec<_> = operations(&document).into_iter().map(|(method, target, _)| (method, target)).collect();
    assert!(targets.len() >= 18, "{targets:?}");
    for other in ["/", "/v1", "/v1/unknown", "/v1/openapi.json?a=b", "/v1/rooms/%FF", "/v2"] {
        targets.extend([Method::GET, Method::PUT, Method::OPTIONS].map(|method| (method, other.to_owned())));
    }
    for (method, target) in targets {
        for token in [None, Some("Bearer 0123456789abcdeF"), Some(TOKEN), Some("Basic 0123456789abcdef")] {
            let mut request = Request::builder().method(method.clone()).uri(&target);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, token);
            }
            let answer = node.answer(request.body(Body::from("x".repeat(2_000_000))).expect("valid")).await;
            assert_eq!(answer.status, 401, "{method} {target} {token:?}");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"roomwire\"");
            if method != Method::HEAD {
                answer.problem(401, "UNAUTHORIZED");
                assert!(!answer.text.contains("0123456789"), "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_unique_id_a_description_for_each_answer_and_the_common_errors() {
    let document = Node::new().await.get("/v1/openapi.json").await.is(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    assert_eq!(document["security"], serde_json::json!([{ "token": [] }]));
    let mut ids = Vec::new();
    for (method, target, operation) in operations(&document) {
        ids.push(operation["operationId"].as_str().expect("an id").to_owned());
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {target}");
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{method} {target} {status}");
            let is_problem = response["content"].get("application/problem+json").is_some();
            assert_eq!(is_problem, !status.starts_with('2'), "{method} {target} {status}");
        }
        assert!(["401", "500", "503"].iter().all(|status| responses.contains_key(*status)), "{method} {target}");
        let takes_body = matches!(method, Method::POST | Method::PATCH | Method::PUT)
            && !["/drain", "/reload"].iter().any(|end| target.ends_with(end));
        assert_eq!(operation.get("requestBody").is_some(), takes_body, "{method} {target}");
        assert_eq!(responses.contains_key("413") && responses.contains_key("415"), takes_body, "{method} {target}");
    }
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[tokio::test]
async fn the_document_of_nested_routes_names_the_place_where_they_are() {
    let node = Node::new().await;
    let app = Router::<()>::new().nest("/operations", roomwire_http_api::routes(&node.layer));
    let ask = async |path: &str| {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        app.clone().oneshot(request.body(Body::empty()).expect("valid")).await.expect("answers")
    };
    let response = ask("/operations/v1/openapi.json").await;
    let body = response.into_body().collect().await.expect("reads").to_bytes();
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(document["servers"][0]["url"], "/operations");
    assert_eq!(ask("/operations/v1/rooms").await.status(), 200);
    assert_eq!(ask("/operations/v1/unknown").await.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(node.get("/v1/openapi.json").await.json()["servers"][0]["url"], "/");
}
