//! Every refusal is a problem with a code and a text that says what to do.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Method, Request, header};

use crate::fixture::{Node, TOKEN, config};

#[tokio::test]
async fn unknown_paths_methods_names_and_namespaces_are_problems() {
    let node = Node::new().await;
    assert!(node.get("/v1/rooms/a/b/c").await.problem(404, "ROUTE_NOT_FOUND").contains("%2F"));
    let answer = node.ask(Method::PUT, "/v1/rooms/a", Some("{}")).await;
    answer.problem(405, "METHOD_NOT_ALLOWED");
    assert!(answer.headers[header::ALLOW].to_str().expect("text").contains("PATCH"));
    node.get("/v1/rooms/%FF").await.problem(422, "INVALID_NAME");
    node.get("/v1/rooms/a%00b").await.problem(422, "INVALID_NAME");
    node.get(&format!("/v1/rooms/{}", "x".repeat(129))).await.problem(422, "INVALID_NAME");
    node.get("/v1/rooms?namespace=admin").await.problem(422, "INVALID_NAME");
    let known = node.get("/v1/rooms?namespace=/unknown").await.problem(404, "NAMESPACE_NOT_FOUND");
    assert!(known.ends_with("it has /, /admin"), "{known}");
    node.get("/v1/rooms/none").await.problem(404, "ROOM_NOT_FOUND");
    node.get("/v1/clients/none").await.problem(404, "CLIENT_NOT_FOUND");
    node.delete("/v1/rooms/none").await.problem(404, "ROOM_NOT_FOUND");
    node.delete("/v1/clients/none").await.problem(404, "CLIENT_NOT_FOUND");
    node.post("/v1/clients/none/messages", r#"{"event":"e"}"#).await.problem(404, "CLIENT_NOT_FOUND");
    node.ask(Method::POST, "/v1/nodes/none/drain", None).await.problem(404, "NODE_NOT_FOUND");
}

#[tokio::test]
async fn queries_that_are_not_as_documented_are_refused_and_named() {
    let node = Node::new().await;
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=many", "limit=", "limit=1&limit=2", "limits=1"] {
        node.get(&format!("/v1/rooms?{query}")).await.problem(422, "INVALID_PAYLOAD");
    }
    assert!(node.get("/v1/rooms?limits=1").await.problem(422, "INVALID_PAYLOAD").contains("limits"));
    assert_eq!(node.get("/v1/rooms?limit=0").await.json()["field"], "limit");
}

#[tokio::test]
async fn bodies_that_are_not_as_documented_are_refused_and_the_field_is_named() {
    let node = Node::new().await;
    for body in [
        "",
        "{",
        "null",
        "[]",
        r#"["e",1]"#,
        "{}",
        r#"{"event":1}"#,
        r#"{"event":"e"} 1"#,
        r#"{"event":"e","event":"e"}"#,
        "{\"event\":\"\u{7f}",
    ] {
        node.post("/v1/broadcast", body).await.problem(422, "INVALID_PAYLOAD");
    }
    for (body, field) in [
        (r#"{"event":1}"#, "event"),
        (r#"{"event":"e","arguments":1}"#, "arguments"),
        (r#"{"event":"e","daat":1}"#, "daat"),
    ] {
        let answer = node.post("/v1/broadcast", body).await;
        answer.problem(422, "INVALID_PAYLOAD");
        assert!(answer.json()["detail"].as_str().expect("text").contains(field), "{answer:?}");
        assert_eq!(answer.json()["field"], field, "{answer:?}");
    }
    let long = "ü".repeat(100_000);
    for body in [
        format!(r#"{{"event":"e","{long}":1}}"#),
        format!(r#"{{"event":"{long}"}}"#),
        format!(r#"{{"event":"e","except":"{long}"}}"#),
    ] {
        let answer = node.post("/v1/broadcast", &body).await;
        assert_eq!(answer.is(422).text.len().max(2000), 2000, "the answer is short");
    }
    node.post("/v1/broadcast", r#"{"event":"disconnect"}"#).await.problem(422, "INVALID_NAME");
    node.post("/v1/broadcast", r#"{"event":"e","except":""}"#).await.problem(422, "INVALID_NAME");
    let deep = format!(r#"{{"event":"e","data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    node.post("/v1/broadcast", &deep).await.problem(422, "INVALID_PAYLOAD");
    let request = Request::post("/v1/broadcast").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let latin1 =
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(&b"{\"event\":\"\xe4\"}"[..]));
    node.answer(latin1.expect("valid")).await.problem(422, "INVALID_PAYLOAD");
}

#[tokio::test]
async fn a_body_that_is_no_json_by_its_type_or_too_large_is_refused() {
    let mut config = config();
    config.api.body_limit = 1024;
    let node = Node::configured(config).await;
    let request = |kind: &str| {
        let request = Request::post("/v1/broadcast").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        request.header(header::CONTENT_TYPE, kind).body(Body::from(r#"{"event":"e"}"#)).expect("valid")
    };
    node.answer(request("text/plain")).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    node.answer(request("application/json")).await.is(202);
    let fits = format!(r#"{{"event":"e","data":"{}"}}"#, "x".repeat(1024 - 23));
    assert_eq!(fits.len(), 1024);
    node.post("/v1/broadcast", &fits).await.is(202);
    let text = node.post("/v1/broadcast", &format!("{fits} ")).await.problem(413, "PAYLOAD_TOO_LARGE");
    assert!(text.contains("api.bodyLimit, 1024 bytes"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_timeout() {
    let node = Node::new().await;
    let request = Request::post("/v1/broadcast").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let began = tokio::time::Instant::now();
    let request = request.header(header::CONTENT_TYPE, "application/json").body(body).expect("valid");
    node.answer(request).await.problem(408, "TIMEOUT");
    assert!(began.elapsed() < node.service.config().limits.handshake_timeout + Duration::from_secs(1));
}
