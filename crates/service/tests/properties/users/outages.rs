//! Revocations that were missed, that the store was not told of, or that it has lost.

use std::sync::Arc;

use roomwire_core::{BackplaneEvent, PageRequest, Revoked, StateStore};
use roomwire_service::ErrorCode;
use roomwire_state_memory::MemoryHub;

use super::fixture::{connect, ends, showed, user};
use crate::fixture::{Leases, eventually};

/// Whether a store knows that this user's access was taken back.
async fn knows(store: &dyn StateStore, name: &str) -> bool {
    let page = store.revocations(&PageRequest::first(1000)).await.expect("reads");
    page.items.iter().any(|revocation| revocation.subject == Revoked::User(user(name)))
}

#[tokio::test]
async fn what_was_taken_back_while_a_node_heard_nothing_it_learns_after_the_gap() {
    let leases = Leases::of(2).await;
    let [here, deaf] = &leases.cluster.nodes[..] else { panic!("two nodes") };
    let mut client = connect(deaf, "c", showed(&user("ada"), "t1", None)).await;
    deaf.bus.be_deaf(true);
    here.service.revoke_user(&user("ada")).await.expect("revokes");
    deaf.store.heartbeat().await;
    assert!(client.handle().is_connected(), "it could not know");
    deaf.bus.be_deaf(false);
    deaf.bus.say(BackplaneEvent::Gap);
    ends(&mut client).await;
}

#[tokio::test]
async fn what_the_store_was_not_told_holds_everywhere_and_the_store_is_told_later() {
    let leases = Leases::of(2).await;
    let [here, there] = &leases.cluster.nodes[..] else { panic!("two nodes") };
    let mut clients = [
        connect(here, "a", showed(&user("ada"), "t1", None)).await,
        connect(there, "b", showed(&user("ada"), "t1", None)).await,
    ];
    here.store.go_down();
    let refused = here.service.revoke_user(&user("ada")).await.expect_err("the store is away");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    for client in &mut clients {
        ends(client).await;
    }
    let shared = leases.cluster.hub.node();
    assert!(!knows(&shared, "ada").await);
    here.store.come_back();
    eventually("the store is told", async || knows(&shared, "ada").await).await;
}

#[tokio::test]
async fn what_the_store_has_lost_the_nodes_tell_it_again() {
    let leases = Leases::of(1).await;
    let node = &leases.cluster.nodes[0];
    node.service.revoke_user(&user("ada")).await.expect("revokes");
    assert!(knows(&leases.cluster.hub.node(), "ada").await);
    let empty = MemoryHub::new();
    node.store.replace(Arc::new(empty.node()));
    eventually("the store knows it again", async || knows(&empty.node(), "ada").await).await;
}
