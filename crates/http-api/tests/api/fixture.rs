//! A node with the API.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use roomwire_axum_adapter::{RoomwireLayer, Server};
use roomwire_service::{Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService};
use roomwire_state_memory::{MemoryHub, MemoryState};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// A node whose clients connect to `/` and `/admin`, and join rooms by the event `join`.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) service: WebSocketService,
    pub(crate) address: SocketAddr,
    pub(crate) layer: RoomwireLayer,
    api: Router,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

pub(crate) fn config() -> WebSocketConfig {
    let mut config = WebSocketConfig { port: 0, ..WebSocketConfig::default() };
    config.state.timeout = Duration::from_secs(20);
    config.api.token = Some(TOKEN.into());
    config.api.port = 0;
    config
}

impl Node {
    pub(crate) async fn new() -> Self {
        Self::configured(config()).await
    }

    pub(crate) async fn configured(config: WebSocketConfig) -> Self {
        Self::with_state(config, MemoryState::new()).await
    }

    /// A node of a hub, with a name.
    pub(crate) async fn of(hub: &MemoryHub, name: &str) -> Self {
        Self::with_state(WebSocketConfig { node_id: Some(name.parse().expect("valid")), ..config() }, hub.node()).await
    }

    async fn with_state(config: WebSocketConfig, state: MemoryState) -> Self {
        let service = WebSocketService::builder(config).state(state).build().await.expect("builds");
        let gateways = [Gateway::new().on("join", join), Gateway::of("/admin").on("join", join)];
        let server = Server::bind(Router::new(), service.clone(), gateways).await.expect("binds");
        let (address, layer) = (server.local_addr().expect("an address"), server.layer().clone());
        tokio::spawn(server.run_until(std::future::pending()));
        let api = roomwire_http_api::routes(&layer);
        Self { service, address, layer, api }
    }

    /// The answer to a request with the token.
    pub(crate) async fn ask(&self, method: Method, target: &str, body: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.answer(request.body(Body::from(body.unwrap_or_default().to_owned())).expect("valid")).await
    }

    /// The response to a GET request with the token, with its body unread.
    pub(crate) async fn stream(&self, target: &str) -> Response {
        let request = Request::get(target).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        self.api.clone().oneshot(request.body(Body::empty()).expect("valid")).await.expect("answers")
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(Method::GET, target, None).await
    }

    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.ask(Method::POST, target, Some(body)).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.ask(Method::DELETE, target, None).await
    }

    /// The answer to any request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.api.clone().oneshot(request).await.expect("answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("reads").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: head.status, headers: head.headers, text }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that this is a problem with this status and code, and returns its text.
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        assert_eq!(self.headers.get(header::CONTENT_TYPE).expect("a type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!((json["status"].as_u64(), json["code"].as_str()), (Some(u64::from(status)), Some(code)), "{self:?}");
        assert_eq!(self.status, status);
        assert!(json["type"].as_str().expect("a type").ends_with(code) && json["title"].is_string(), "{self:?}");
        json["detail"].as_str().expect("a text").to_owned()
    }

    /// Checks that it succeeded.
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
