//! What the service promises to a client's transport: no lock is held while it disconnects, and it is dropped at the end.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;
use roomwire_core::{AckId, Answer, ClientTransport, OutboundEvent, Undeliverable};
use roomwire_service::{
    ClientId, DisconnectReason, Dispatcher, Gateway, Handshake, Identity, Namespace, Payload, UserId, WebSocketService,
};
use roomwire_state_memory::MemoryState;

use crate::fixture::{Wire, config, eventually};

/// A transport with a full send buffer, which sends to everything it is in when it is to disconnect.
#[derive(Debug)]
struct Full {
    service: WebSocketService,
    disconnects: mpsc::Sender<DisconnectReason>,
}

#[async_trait]
impl ClientTransport for Full {
    fn send(&self, event: &OutboundEvent) -> Result<(), Undeliverable> {
        Err(if &*event.name == "again" { Undeliverable::Gone } else { Undeliverable::BufferFull })
    }

    fn acknowledge(&self, _: AckId, _: &Payload) -> Result<(), Undeliverable> {
        Err(Undeliverable::Gone)
    }

    async fn emit_with_ack(&self, _: &OutboundEvent, _: Duration) -> Answer {
        Answer::Undelivered(Undeliverable::BufferFull)
    }

    fn disconnect(&self, reason: DisconnectReason) {
        let user = UserId::new("ada").expect("valid");
        let sent = [
            self.service.broadcast_to_room("r", "again", &()).now_or_never(),
            self.service.broadcast("again", &()).now_or_never(),
            self.service.send_to_user(&user, "again", &()).now_or_never(),
        ];
        assert!(sent.iter().all(|sent| matches!(sent, Some(Ok(())))), "{sent:?}");
        self.disconnects.send(reason).expect("the test waits");
    }
}

#[test]
fn a_slow_consumer_is_disconnected_without_a_lock_of_its_room_or_namespace() {
    let (disconnects, told) = mpsc::channel();
    // On a thread of its own, which a lock that is held would block.
    let sender = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("builds");
        runtime.block_on(async {
            let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
            let transport = Arc::new(Full { service: service.clone(), disconnects });
            let user = UserId::new("ada").expect("valid");
            let handshake = Handshake::identified(ClientId::new("c").expect("valid"), Identity::of(user.clone()));
            let client = service.handle_connection(handshake, transport).await.expect("connects");
            service.join_room(&client, "r").await.expect("joins");
            service.broadcast_to_room("r", "n", &()).await.expect("sends");
            service.broadcast("n", &()).await.expect("sends");
            service.send_to_user(&user, "n", &()).await.expect("sends");
            service.send_to_client(&client, "n", &()).await.expect_err("the buffer is full");
            let asked = service.send_to_client_with_ack::<()>(&client, "n", &(), Duration::from_secs(1));
            asked.await.expect_err("the buffer is full");
        });
    });
    for _ in 0..5 {
        let reason = told.recv_timeout(Duration::from_secs(10)).expect("no call is blocked");
        assert_eq!(reason, DisconnectReason::SlowConsumer);
    }
    sender.join().expect("no panic");
}

#[tokio::test]
async fn the_transport_of_a_client_that_is_gone_is_dropped() {
    let service = WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds");
    let dispatcher = Dispatcher::new(service.clone(), Gateway::new()).expect("mounts");
    let (transport, handshake) = (Wire::unused(), Handshake::new(ClientId::new("c").expect("valid")));
    let left = Arc::downgrade(&transport);
    let session = dispatcher.admit(&Namespace::root(), handshake, transport).await.expect("admitted");
    session.opened();
    service.join_room(session.client(), "r").await.expect("joins");
    service.broadcast_to_room("r", "n", &()).await.expect("sends");
    session.closed(DisconnectReason::ClientDisconnected);
    assert!(left.upgrade().is_some(), "the session has a handle of the client");
    drop(session);
    eventually("it is dropped", async || left.upgrade().is_none()).await;
}
