//! Keys that something else wrote to while a service runs.

use roomwire_service::ErrorCode;
use roomwire_test_servers::RedisServer;

use crate::fixture::{Fixture, eventually, set_user};

#[tokio::test]
async fn each_kind_of_key_with_another_type_is_replaced_and_named_and_nothing_is_refused() {
    let server = RedisServer::start().await;
    // By what follows the partition. Those of an incarnation are for both incarnations.
    let kinds: [&[&str]; 17] = [
        &["incarnations"],
        &["dead"],
        &["st"],
        &["lease"],
        &["over"],
        &["reaped"],
        &["rv"],
        &["ru"],
        &["l:1", "l:2"],
        &["n:1", "n:2"],
        &["nc:1", "nc:2"],
        &["r:/,r"],
        &["m:/,r"],
        &["c:/,member", "c:/,remote"],
        &["cs:/"],
        &["rs:/"],
        &["us:/,ada"],
    ];
    // Until the nodes have put back what these held, the client or the room is not found, or the store is unavailable.
    let come_back = ["incarnations", "st", "l:1", "c:/,member", "r:/,r"];
    for kind in kinds {
        let fixture = Fixture::on(&server).await;
        let state = fixture.another_state().await;
        for name in kind {
            let key = format!("{{roomwire:0}}:{name}");
            server.ask::<()>(&["SET", &key, "foreign"]).await;
        }
        if kind == ["reaped"] {
            fixture.lose(state).await;
        }
        let failed = fixture.everything().await;
        println!("{kind:?}: {failed:?}");
        assert!(failed.is_empty() || come_back.contains(&kind[0]), "{kind:?}: {failed:?}");
        assert!(!failed.iter().any(|(_, code)| *code == ErrorCode::StateRefused), "{kind:?}: {failed:?}");
        let key = format!("\"{{roomwire:0}}:{}\"", kind[0]);
        let lines = fixture.is_logged(&["a key of another type was removed", &key]).await;
        assert!(!lines.iter().any(|line| line.contains("refused an operation")), "{kind:?}: {lines:?}");
        eventually(&format!("{kind:?}: everything works"), async || fixture.everything().await.is_empty()).await;
        fixture.messages_cross().await;
        fixture.end(&server).await;
    }
}

#[tokio::test]
async fn a_key_of_another_type_that_may_not_be_removed_is_told_and_stays() {
    let server = RedisServer::start().await;
    let fixture = Fixture::on(&server).await;
    set_user(&server, &["-del"]).await;
    server.ask::<()>(&["SET", "{roomwire:0}:cs:/", "foreign"]).await;
    let failed = fixture.everything().await;
    assert!(failed.contains(&("connect", ErrorCode::StateRefused)), "{failed:?}");
    fixture.is_told("(DEL {roomwire:0}:cs:/)").await;
    let text: String = server.ask(&["GET", "{roomwire:0}:cs:/"]).await;
    assert_eq!(text, "foreign");
    fixture.end(&server).await;
}

/// What a script reads may have the right type and make no sense.
#[tokio::test]
async fn a_record_that_cannot_be_read_is_damage_and_no_outage() {
    let server = RedisServer::start().await;
    let fixture = Fixture::on(&server).await;
    // Its node may mend it before it is read.
    eventually("it is read", async || {
        server.ask::<()>(&["HSET", "{roomwire:0}:c:/,remote", "t", "yesterday"]).await;
        let failed = fixture.everything().await;
        assert!(!failed.iter().any(|(_, code)| *code == ErrorCode::StateUnavailable), "{failed:?}");
        failed.contains(&("client", ErrorCode::StateRefused))
    })
    .await;
    fixture.is_told("\"yesterday\" is not valid").await;
    eventually("its node writes it anew", async || fixture.everything().await.is_empty()).await;
    fixture.end(&server).await;
}
