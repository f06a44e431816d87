//! `docs/http-api.md` agrees with the routes.

use std::collections::BTreeSet;

use http::Method;
use roomwire_state_memory::MemoryHub;

use crate::fixture::Node;

const PAGE: &str = include_str!("../../../../docs/http-api.md");

/// A request as the page shows it, or as the document has it, such as `GET /v1/rooms`.
fn requests_of_page() -> BTreeSet<String> {
    let quoted = PAGE.split('`').skip(1).step_by(2);
    let mut requests: BTreeSet<_> = quoted
        .clone()
        .filter(|text| text.split_once(" /v1/").is_some_and(|(method, _)| method.parse::<Method>().is_ok()))
        .map(str::to_owned)
        .collect();
    // The follow routes after the first are written without their method.
    requests.extend(
        quoted.filter(|text| text.starts_with("/v1/") && text.ends_with("follow")).map(|path| format!("GET {path}")),
    );
    requests
}

#[tokio::test]
async fn the_page_lists_every_route_and_no_other() {
    let document = Node::new().await.get("/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let routes: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(requests_of_page(), routes);
}

/// The examples for curl: method, target and body.
fn examples() -> Vec<(Method, String, Option<String>)> {
    let text = PAGE.replace("\\\n", " ");
    let commands = text.lines().filter(|line| line.starts_with("curl "));
    let examples = commands.map(|command| {
        let after = |before: &str, end: char| command.split_once(before).and_then(|(_, rest)| rest.split(end).next());
        let body = after("-d '", '\'').map(str::to_owned);
        let method = after("-X ", ' ').unwrap_or(if body.is_some() { "POST" } else { "GET" });
        let target = after("http://127.0.0.1:3900", '\'').expect("a target").trim().to_owned();
        (method.parse().expect("a method"), target, body)
    });
    examples.collect()
}

#[tokio::test]
async fn the_examples_for_curl_work() {
    let hub = MemoryHub::new();
    let (node, _other) = (Node::of(&hub, "chat-1").await, Node::of(&hub, "chat-2").await);
    node.post("/v1/rooms", r#"{"id":"lobby"}"#).await.is(201);
    let (drains, others): (Vec<_>, Vec<_>) =
        examples().into_iter().partition(|(_, target, _)| target.ends_with("/drain"));
    assert!(others.len() >= 7 && drains.len() == 1, "{others:?}");
    for (method, target, body) in others {
        if target.contains("/follow") {
            assert_eq!(node.stream(&target).await.status(), 200);
        } else {
            let answer = node.ask(method.clone(), &target, body.as_deref()).await;
            assert!(answer.status.is_success(), "{method} {target}: {answer:?}");
        }
    }
    let (method, target, _) = &drains[0];
    node.ask(method.clone(), target, None).await.is(202);
}
