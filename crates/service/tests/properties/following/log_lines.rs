//! The events of chosen rooms, users and clients are shown in the log, switched while the service runs.

use roomwire_core::config::LogLevel;
use roomwire_service::{ErrorCode, FollowTarget, Gateway, WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_memory::MemoryState;

use super::{client, gateway, room};
use crate::fixture::{Log, config, server};

fn events() -> Log {
    Log::capture_at("roomwire=info,roomwire::events=debug")
}

#[tokio::test]
async fn lines_appear_for_what_is_switched_on_and_carry_no_payload() {
    let log = events();
    let server = server(gateway()).await;
    let service = server.service();
    let (ada, bob) = (server.connect().await.expect("connects"), server.connect().await.expect("connects"));
    let act = async || {
        for client in [&ada, &bob] {
            client.emit_with_ack::<()>("refuse", &"SECRET").await.expect_err("refused");
            service.send_to_client(client.id(), "told", &"SECRET").await.expect("sends");
        }
        service.broadcast_to_room("r", "told-room", &"SECRET").await.expect("sends");
        log.take_lines()
    };
    assert_eq!(act().await, [] as [&str; 0], "off by default");

    service.set_debug([client(ada.handle())]).expect("one");
    let lines = act().await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(ada.id().as_str()) && !line.contains("SECRET")), "{lines:?}");
    assert!(lines[0].contains(r#"outcome="FORBIDDEN""#) && lines[0].contains("took="), "{lines:?}");
    assert!(lines[1].contains(r#"event="told""#) && lines[1].contains("queued=1"), "{lines:?}");

    service.set_debug([room("r"), room("r"), client(bob.handle())]).expect("two");
    assert_eq!(service.debug(), [room("r"), client(bob.handle())]);
    let lines = act().await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].contains("told-room"), "{lines:?}");

    service.set_debug([FollowTarget::All]).expect("all");
    assert_eq!(act().await.len(), 5);

    let many = (0..65).map(|number| room(&number.to_string()));
    assert_eq!(service.set_debug(many).expect_err("too many").code(), ErrorCode::LimitExceeded);
    assert_eq!(service.debug(), [FollowTarget::All], "nothing has changed");

    service.set_debug([]).expect("none");
    assert_eq!(act().await, [] as [&str; 0]);
}

#[tokio::test]
async fn debug_shows_everything_from_the_start() {
    let log = events();
    let mut level = config();
    level.logger.level = LogLevel::Debug;
    for config in [WebSocketConfig { debug: true, ..config() }, level] {
        let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
        let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
        assert_eq!(service.debug(), [FollowTarget::All]);
        let ada = server.connect().await.expect("connects");
        ada.emit_with_ack::<()>("unknown", &1).await.expect_err("unknown");
        let lines = log.take_lines();
        assert!(lines.iter().any(|line| line.contains("UNKNOWN_EVENT")), "{lines:?}");
    }
}
