//! What random bytes are given to; built for that alone (`--cfg fuzzing`).

use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Request};
use roomwire_core::{WebSocketConfig, config::Transport};

use crate::{
    handshake::{ClientAddress, HandshakeCheck},
    refusals::Refusals,
    request::{self, RequestKind},
};

/// The first line is the method and the target, each other line a header. The first byte chooses whether the peer is a
/// proxy that is trusted.
///
/// # Panics
/// When a request is admitted without the address of its client.
pub fn request(text: &str) {
    thread_local! {
        static CHECK: HandshakeCheck = HandshakeCheck::new(&WebSocketConfig {
            allowed_origins: vec!["https://app.example.com".to_owned()],
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
            ..WebSocketConfig::default()
        }, Refusals::default());
    }
    let mut lines = text.lines();
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let Ok(mut request) = Request::builder().method(method).uri(target).body(()) else { return };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value.trim())) {
            request.headers_mut().append(name, value);
        }
    }
    let peer = Ipv4Addr::new(if text.len().is_multiple_of(2) { 10 } else { 192 }, 0, 2, 1);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 1))));
    let _ = request::is_for(request.uri().path(), "/socket.io");
    let _ = RequestKind::of(&request, &[Transport::Polling, Transport::Websocket]);
    let admitted = CHECK.with(|check| check.admit(&check.page(&request), &mut request));
    assert!(admitted.is_err() || request.extensions().get::<ClientAddress>().is_some());
}
