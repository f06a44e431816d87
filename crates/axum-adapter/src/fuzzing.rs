//! What random bytes are given to; built for that alone (`--cfg fuzzing`).

use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use roomwire_core::{EventName, OutboundEvent, WebSocketConfig};
use socketioxide_core::{Value, packet::PacketData};

use crate::{
    frame,
    handshake::{ClientAddress, HandshakeCheck},
    refusals::Refusals,
    request::{self, RequestKind},
};

/// An event, an acknowledgement and a handshake with so many attachments. An event that is read is the same again after
/// it was sent.
///
/// # Panics
/// When it is not.
pub fn packet(attachments: u8, text: &str) {
    let attachments: Option<std::collections::VecDeque<_>> =
        (attachments > 0).then(|| (0..attachments).map(|byte| Bytes::from(vec![byte])).collect());
    let value = Value::Str(text.to_owned().into(), attachments);
    let _ = frame::read_handshake(Some(&value));
    let _ = frame::read_acknowledgement(value.clone());
    let Ok((name, payload)) = frame::read_event(value) else { return };
    let Ok(name) = EventName::new(name) else { return };
    let sent = OutboundEvent::new(name.clone(), payload);
    let (PacketData::Event(value, _) | PacketData::BinaryEvent(value, _)) = frame::event(&"/".into(), &sent).inner
    else {
        panic!("no event")
    };
    let (again, payload) = frame::read_event(value).expect("what was sent can be read");
    assert_eq!(again, name.as_str());
    assert_eq!(payload, sent.payload);
}

/// The first line is the method and the target, each other line a header. The first byte chooses whether the peer is a
/// proxy that is trusted.
///
/// # Panics
/// When a request for a session passes without that session's ticket.
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
    let names_session = |query: &str| query.split('&').any(|pair| pair.starts_with("sid="));
    let is_for_session = request.uri().query().is_some_and(names_session);
    let admitted = CHECK.with(|check| check.admit(&check.page(&request), &mut request));
    if admitted.is_ok() {
        // No random bytes are the ticket of a session.
        assert!(!is_for_session, "{text:?}");
        assert!(!matches!(
            RequestKind::of(&request),
            RequestKind::Upgrade { .. } | RequestKind::Post { .. } | RequestKind::Poll { .. }
        ));
        assert!(request.extensions().get::<ClientAddress>().is_some());
    }
}
