//! Backpressure for request bodies: they are read no faster than their events are handled.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::socket::ReadGate;

/// What separates packets in a body.
const SEPARATOR: u8 = 0x1e;

/// The same body, one packet at a time, each as soon as all these clients may be read from.
///
/// The engine takes one piece of a body for each packet it finds, so that it stops at the packet at which a client is
/// paused. A body given to it as a whole would put all its events, up to a hundred thousand, in the client's mailbox at
/// once.
pub(crate) fn body(body: Body, read_gates: Vec<Arc<ReadGate>>) -> Body {
    if read_gates.is_empty() {
        return body;
    }
    let read_gates: Arc<[Arc<ReadGate>]> = read_gates.into();
    let packets = body.into_data_stream().flat_map(|data| {
        let mut rest = data;
        stream::iter(std::iter::from_fn(move || match &mut rest {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Ok(first_packet(bytes))),
            Err(_) => Some(std::mem::replace(&mut rest, Ok(Bytes::new()))),
        }))
    });
    Body::from_stream(packets.then(move |packet| {
        let read_gates = read_gates.clone();
        async move {
            for read_gate in &*read_gates {
                read_gate.ready().await;
            }
            packet
        }
    }))
}

/// Takes the first packet with its separator, or all when there is none.
fn first_packet(bytes: &mut Bytes) -> Bytes {
    match bytes.iter().position(|byte| *byte == SEPARATOR) {
        Some(end) => bytes.split_to(end + 1),
        None => std::mem::take(bytes),
    }
}
