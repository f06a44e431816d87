//! Processes with one node id: both work, and one is warned of.

use std::time::Duration;

use roomwire_core::NodeId;
use roomwire_service::{ClientId, Gateway, Handshake, Namespace, WebSocketConfig};
use roomwire_state_memory::MemoryHub;

use crate::fixture::{Log, Node, config, eventually, watched};

async fn twin(hub: &MemoryHub) -> Node {
    let node_id = Some(NodeId::new("twin").expect("valid"));
    watched(hub.node(), WebSocketConfig { node_id, ..config() }, Gateway::new()).await
}

fn warnings(log: &Log) -> Vec<String> {
    log.take_lines().into_iter().filter(|line| line.contains("WARN")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_under_the_id_of_another_is_warned_of_once_a_minute_and_both_are_named() {
    let (log, hub) = (Log::capture(), MemoryHub::new());
    let first = twin(&hub).await;
    assert!(warnings(&log).is_empty(), "it is alone");
    let second = twin(&hub).await;
    let mut warned = Vec::new();
    eventually("the first warns of the second", async || {
        warned.extend(warnings(&log));
        !warned.is_empty()
    })
    .await;
    assert!(warned[0].contains("two processes run with the same nodeId"), "{warned:?}");
    let (_, own) = first.store.behind_its_back();
    let (_, other) = second.store.behind_its_back();
    for part in [format!("own={own}"), format!("other={other}"), "ROOMWIRE_NODE_ID".to_owned()] {
        assert!(warned[0].contains(&part), "{part}: {warned:?}");
    }

    let talk = async |number: u32| {
        let handshake = Handshake::new(ClientId::new(format!("c{number}")).expect("valid"));
        let mut client = second.server.connect_with(&Namespace::root(), handshake).await.expect("connects");
        for _ in 0..10 {
            first.service.broadcast("hi", &number).await.expect("sends");
            assert_eq!(client.expect::<u32>("hi").await, number);
        }
    };
    talk(1).await;
    assert_eq!(warnings(&log).len(), 1, "the second warns of the first");
    talk(2).await;
    assert!(warnings(&log).is_empty(), "said a moment ago");
    tokio::time::advance(Duration::from_secs(60)).await;
    talk(3).await;
    assert_eq!(warnings(&log).len(), 1);
}

#[tokio::test]
async fn an_id_that_was_used_before_and_is_not_any_more_is_not_warned_of() {
    let (log, hub) = (Log::capture(), MemoryHub::new());
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let crashed = {
        let hub = hub.clone();
        runtime.spawn(async move { twin(&hub).await }).await.expect("no panic")
    };
    let mut client = crashed.server.connect().await.expect("connects");
    runtime.shutdown_background();
    drop(crashed);
    let restarted = twin(&hub).await;
    let handshake = Handshake::new(ClientId::new("new").expect("valid"));
    let mut new = restarted.server.connect_with(&Namespace::root(), handshake).await.expect("connects at once");
    restarted.service.join_room(new.handle(), "r").await.expect("joins at once");
    restarted.service.broadcast_to_room("r", "hi", &1).await.expect("sends");
    assert_eq!(new.expect::<i32>("hi").await, 1);
    assert!(client.drain().is_empty());
    assert_eq!(warnings(&log), Vec::<String>::new());
}
