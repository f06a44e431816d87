//! Clients of users.

use roomwire_core::{Namespace, Timestamp};
use roomwire_service::{ClientId, DisconnectReason, Handshake, Identity, TokenId, UserId, testing::TestClient};

use crate::fixture::{Ledger, Node, within};

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("valid")
}

/// A user with a token of this name, issued then if a time is given.
pub(super) fn showed(whose: &UserId, token: &str, issued_at: Option<Timestamp>) -> Identity {
    Identity { issued_at, token: Some(TokenId::new(token).expect("valid")), ..Identity::of(whose.clone()) }
}

pub(super) async fn connect(node: &Node, id: &str, identity: Identity) -> TestClient {
    let handshake = Handshake::identified(ClientId::new(id).expect("valid"), identity);
    node.server.connect_with(&Namespace::root(), handshake).await.expect("connects")
}

/// Waits until the client's connection has ended.
pub(super) async fn ends(client: &mut TestClient) {
    assert!(within("the end", client.next()).await.is_none(), "the connection ends");
}

/// Why each client went, once so many have.
pub(super) async fn reasons(ledger: &Ledger, clients: usize) -> Vec<(ClientId, DisconnectReason)> {
    ledger.gone(clients).await;
    let mut reasons: Vec<_> = ledger.disconnected().into_iter().map(|(key, reason)| (key.client, reason)).collect();
    reasons.sort_by(|(a, _), (b, _)| a.cmp(b));
    reasons
}
