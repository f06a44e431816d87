//! The settings of a node.

use http::Method;
use serde_json::json;

use crate::fixture::{Node, config};

#[tokio::test]
async fn the_targets_of_the_log_are_replaced_as_a_whole() {
    let node = Node::new().await;
    let nothing = json!({ "all": false, "rooms": [], "users": [], "clients": [] });
    assert_eq!(node.get("/v1/debug").await.is(200).json(), nothing);
    let body = json!({ "rooms": ["a/b"], "users": ["räume"], "clients": ["c"], "all": true });
    let shown = node.ask(Method::PUT, "/v1/debug", Some(&body.to_string())).await.is(200).json();
    assert_eq!(shown, body);
    assert_eq!(node.get("/v1/debug").await.json(), shown);
    for wrong in [r#"{"rooms":[""]}"#, r#"{"rooms":"a"}"#, r#"{"room":["a"]}"#] {
        assert_eq!(node.ask(Method::PUT, "/v1/debug", Some(wrong)).await.status, 422, "{wrong}");
    }
    let many = json!({ "rooms": (0..65).map(|number| number.to_string()).collect::<Vec<_>>() });
    node.ask(Method::PUT, "/v1/debug", Some(&many.to_string())).await.problem(422, "LIMIT_EXCEEDED");
    assert_eq!(node.get("/v1/debug").await.json(), shown, "a refused change changes nothing");
    node.ask(Method::PUT, "/v1/debug", Some("{}")).await.is(200);
    assert_eq!(node.get("/v1/debug").await.json(), nothing);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_reloaded_stays_and_the_answer_says_why() {
    let node = Node::new().await;
    let text = node.ask(Method::POST, "/v1/config/reload", None).await.problem(409, "CONFIG_REFUSED");
    assert!(text.contains("written in code"), "{text}");
}

#[tokio::test]
async fn a_new_token_and_a_new_limit_of_bodies_are_in_force_after_a_reload() {
    let node = Node::new().await;
    let mut new = config();
    new.api.body_limit = 1024;
    node.service.reload(new.clone()).await.expect("reloads");
    let large = format!(r#"{{"event":"e","data":"{}"}}"#, "x".repeat(2000));
    node.post("/v1/broadcast", &large).await.problem(413, "PAYLOAD_TOO_LARGE");
    new.api.token = Some("another-token-0123".into());
    node.service.reload(new.clone()).await.expect("reloads");
    node.get("/v1/rooms").await.problem(401, "UNAUTHORIZED");
    new.api.token = None;
    node.service.reload(new).await.expect("reloads");
    node.get("/v1/rooms").await.problem(401, "UNAUTHORIZED");
}
