//! A revocation reaches every node and disconnects the clients that it covers.

use std::time::{Duration, Instant};

use roomwire_core::{Clock, Namespace, SystemClock, Timestamp};
use roomwire_service::{DisconnectReason, ErrorCode, Gateway, Handshake, Identity, TokenId};

use super::fixture::{connect, ends, reasons, showed, user};
use crate::fixture::{Cluster, Ledger, Moment, config, watched, within};

const TTL: Duration = Duration::from_secs(3600);

fn ago(seconds: u64) -> Timestamp {
    Timestamp::from_millis(SystemClock.now().as_millis() - seconds * 1000)
}

#[tokio::test]
async fn a_revoked_user_is_out_on_every_node_within_a_second_and_what_it_shows_later_holds() {
    let cluster = Cluster::of(3, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let ada = user("ada");
    let later = SystemClock.now().plus(Duration::from_secs(5));
    let (mut out, mut stay) = (Vec::new(), Vec::new());
    for (number, node) in cluster.nodes.iter().enumerate() {
        out.push(connect(node, &format!("old-{number}"), showed(&ada, "t1", Some(ago(5)))).await);
        out.push(connect(node, &format!("undated-{number}"), showed(&ada, "t2", None)).await);
        stay.push(connect(node, &format!("anew-{number}"), showed(&ada, "t3", Some(later))).await);
        stay.push(connect(node, &format!("bob-{number}"), showed(&user("bob"), "t1", Some(ago(5)))).await);
        stay.push(connect(node, &format!("nobody-{number}"), Identity::anonymous()).await);
    }
    let began = Instant::now();
    let all_end = async {
        for client in &mut out {
            ends(client).await;
        }
        began.elapsed()
    };
    let (revoked, took) = tokio::join!(cluster.nodes[2].service.revoke_user(&ada), all_end);
    revoked.expect("revokes");
    assert!(took < Duration::from_secs(1), "{took:?}");
    // Tokens say in whole seconds when they were issued.
    let at_once = Timestamp::from_millis(SystemClock.now().as_millis() / 1000 * 1000);
    for node in &cluster.nodes {
        stay.push(
            connect(node, &format!("logged-in-anew-{}", node.service.node_id()), showed(&ada, "t4", Some(at_once)))
                .await,
        );
    }
    for (client, reason) in reasons(&ledger, 6).await {
        assert_eq!(reason, DisconnectReason::AccessRevoked, "{client}");
    }
    cluster.nodes[0].service.broadcast("end", &()).await.expect("sends");
    for client in &mut stay {
        client.expect::<()>("end").await;
    }
}

#[tokio::test]
async fn a_revoked_token_is_out_in_every_namespace_and_other_tokens_of_its_user_stay() {
    let gateways = || [Gateway::new(), Gateway::of("/admin")];
    let cluster = Cluster::of(2, gateways).await;
    let ada = user("ada");
    let admin = Namespace::new("/admin").expect("valid");
    let mut out = Vec::new();
    let mut stay = Vec::new();
    for (number, node) in cluster.nodes.iter().enumerate() {
        out.push(connect(node, &format!("out-{number}"), showed(&ada, "t1", Some(ago(5)))).await);
        let id = roomwire_service::ClientId::new(format!("admin-{number}")).expect("valid");
        let handshake = Handshake::identified(id, showed(&user("bob"), "t1", None));
        out.push(node.server.connect_with(&admin, handshake).await.expect("connects"));
        stay.push(connect(node, &format!("stays-{number}"), showed(&ada, "t2", Some(ago(5)))).await);
    }
    let token = TokenId::new("t1").expect("valid");
    let until = SystemClock.now().plus(TTL);
    cluster.nodes[0].service.revoke_token(&token, until).await.expect("revokes");
    for client in &mut out {
        ends(client).await;
    }
    cluster.nodes[1].service.broadcast("end", &()).await.expect("sends");
    for client in &mut stay {
        client.expect::<()>("end").await;
    }
}

#[tokio::test]
async fn an_expired_revocation_revokes_nothing() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let mut ada = connect(&cluster.nodes[1], "a", showed(&user("ada"), "t1", None)).await;
    let service = &cluster.nodes[0].service;
    service.revoke_token(&TokenId::new("t1").expect("valid"), ago(1)).await.expect("revokes");
    service.broadcast("end", &()).await.expect("sends");
    ada.expect::<()>("end").await;
}

#[tokio::test]
async fn a_client_that_is_revoked_during_its_admission_is_disconnected() {
    let cluster = Cluster::of(2, Gateway::new).await;
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    for (number, revokes) in [here, there].into_iter().enumerate() {
        let whose = user(&format!("user-{number}"));
        let hold = here.store.hold(Moment::After, "connect");
        let admitted = tokio::spawn({
            let (node, identity) = (here.clone(), showed(&whose, "t1", Some(ago(5))));
            async move { connect(&node, &format!("c{number}"), identity).await }
        });
        hold.reached().await;
        let mut told = connect(here, &format!("witness-{number}"), showed(&whose, "t2", None)).await;
        revokes.service.revoke_user(&whose).await.expect("revokes");
        ends(&mut told).await;
        hold.release();
        let mut client = within("the admission", admitted).await.expect("no panic");
        ends(&mut client).await;
    }
    let left = here.service.local_client_count();
    assert_eq!(left, 0, "nobody takes part");
}

#[tokio::test]
async fn a_node_that_starts_later_knows_what_was_taken_back_before() {
    let cluster = Cluster::of(1, Gateway::new).await;
    cluster.nodes[0].service.revoke_user(&user("ada")).await.expect("revokes");
    let late = watched(cluster.hub.node(), config(), Gateway::new()).await;
    let handshake = Handshake::identified(
        roomwire_service::ClientId::new("c").expect("valid"),
        showed(&user("ada"), "t1", Some(ago(5))),
    );
    let refused = late.server.connect_with(&Namespace::root(), handshake).await.expect_err("refused");
    assert_eq!((refused.code(), refused.message()), (ErrorCode::Unauthorized, "Not authorized"));
    let mut anew = connect(&late, "d", showed(&user("ada"), "t2", Some(SystemClock.now().plus(TTL)))).await;
    late.service.send_to_user(&user("ada"), "hi", &1).await.expect("sends");
    assert_eq!(anew.expect::<i32>("hi").await, 1);
}
