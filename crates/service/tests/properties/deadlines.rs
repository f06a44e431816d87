//! `state.timeout`: no caller waits longer for a store or a backplane that hangs.

use std::{pin::Pin, sync::Arc, time::Duration};

use roomwire_service::{
    DisconnectReason, Error, ErrorCode, Gateway, Metadata, NewRoom, NodeId, PageRequest, WebSocketConfig,
    WebSocketService, testing::TestClient,
};
use roomwire_state_memory::{MemoryHub, MemoryState};
use tokio::time::Instant;

use crate::fixture::{Cluster, Ledger, Moment, Node, WatchedBus, WatchedStore, config, eventually, watched};

const LIMIT: Duration = Duration::from_millis(700);

fn bounded() -> WebSocketConfig {
    let mut config = config();
    config.state.timeout = LIMIT;
    config
}

/// A member of `r` and one of `r` on another node.
async fn members() -> (Cluster, Ledger, TestClient, TestClient) {
    let cluster = Cluster::configured(MemoryHub::new(), bounded(), 2, Gateway::new).await;
    let ledger = Ledger::of(cluster.services());
    let mut members = Vec::new();
    for node in &cluster.nodes {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        members.push(client);
    }
    let (there, here) = (members.remove(1), members.remove(0));
    (cluster, ledger, here, there)
}

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + 'a>>;

/// What a caller waits for, each with what the store or the backplane is asked for it.
fn operations<'a>(
    node: &'a Node,
    here: &'a TestClient,
    there: &'a TestClient,
) -> Vec<(&'static str, &'static str, Outcome<'a>)> {
    macro_rules! operation {
        ($system:literal $method:literal $call:expr) => {
            ($system, $method, Box::pin(async { $call.await.map(drop).map_err(|error| error.code()) }) as Outcome<'a>)
        };
    }
    let service: &WebSocketService = &node.service;
    vec![
        operation!("bus" "subscribe" service.join_room(here.handle(), "r2")),
        operation!("store" "join" service.join_room(here.handle(), "r2")),
        operation!("store" "connect" node.server.connect()),
        operation!("store" "create_room" service.create_room("r3", NewRoom::default())),
        operation!("store" "change_room" service.close_room("r3")),
        operation!("store" "delete_room" service.delete_room("r")),
        operation!("store" "room" service.room("r")),
        operation!("store" "rooms" service.rooms(&PageRequest::first(10))),
        operation!("store" "room_count" service.room_count()),
        operation!("store" "members" service.members("r", &PageRequest::first(10))),
        operation!("store" "member_count" service.member_count("r")),
        operation!("store" "client" service.client(here.handle())),
        operation!("store" "clients" service.clients(&PageRequest::first(10))),
        operation!("store" "client_count" service.client_count()),
        operation!("store" "set_client_metadata" service.set_client_metadata(here.handle(), Metadata::new())),
        operation!("store" "locate" service.send_to_client(there.id(), "hi", &1)),
        operation!("bus" "publish" service.send_to_client(there.id(), "hi", &1)),
        operation!("store" "locate" service.send_to_client_with_ack::<()>(there.id(), "hi", &1, Duration::from_secs(600))),
        operation!("store" "locate" service.disconnect_client(there.id())),
        operation!("bus" "publish" service.broadcast_to_room("r", "hi", &1)),
        operation!("store" "members" service.broadcast_to_room_with_ack::<()>("r", "hi", &1, Duration::from_secs(600))),
    ]
}

/// As long as allowed, by a clock that stands still while there is work.
fn is_limit(took: Duration) -> bool {
    (LIMIT..LIMIT + Duration::from_millis(5)).contains(&took)
}

#[tokio::test(start_paused = true)]
async fn whatever_waits_for_a_store_or_backplane_that_hangs_fails_in_time() {
    let (cluster, _, here, there) = members().await;
    let node = &cluster.nodes[0];
    for (system, method, outcome) in operations(node, &here, &there) {
        let _hold = match system {
            "store" => node.store.hold(Moment::Before, method),
            _ => node.bus.hold(Moment::Before, method),
        };
        let began = Instant::now();
        assert_eq!(outcome.await, Err(ErrorCode::StateUnavailable), "{system}.{method}");
        assert!(is_limit(began.elapsed()), "{system}.{method}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_waits_for_its_turn_its_subscription_and_the_store_no_longer_than_for_one_of_them() {
    let (cluster, _, here, _there) = members().await;
    let node = &cluster.nodes[0];
    let subscribes = node.bus.hold(Moment::Before, "subscribe");
    let joins = node.store.hold(Moment::Before, "join");
    let began = Instant::now();
    let join = |room: &'static str| {
        let (service, client) = (node.service.clone(), here.handle().clone());
        tokio::spawn(async move { (service.join_room(&client, room).await, began.elapsed()) })
    };
    let waits = [join("r1"), join("r2"), join("r3")];
    subscribes.reached().await;
    tokio::time::sleep(LIMIT / 2).await;
    subscribes.release();
    joins.reached().await;
    for joined in waits {
        let (refused, took) = joined.await.expect("no panic");
        assert_eq!(refused.expect_err("the store hangs").code(), ErrorCode::StateUnavailable);
        assert!(is_limit(took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_or_disconnects_is_removed_in_time_and_reported_once_whatever_hangs() {
    for goes in [true, false] {
        for hangs in ["unsubscribe", "store"] {
            let (cluster, ledger, here, _there) = members().await;
            let node = &cluster.nodes[0];
            node.service.join_room(here.handle(), "own").await.expect("joins");
            let hold = match hangs {
                "store" => node.store.hold(Moment::Before, if goes { "disconnect" } else { "leave" }),
                _ => node.bus.hold(Moment::Before, hangs),
            };
            let began = Instant::now();
            if goes {
                let reason = DisconnectReason::PingTimeout;
                let mut left = node.service.handle_disconnect(here.handle(), reason).await;
                left.sort_unstable();
                assert_eq!(left, ["own", "r"]);
            } else {
                node.service.leave_room(here.handle(), "own").await.expect("leaves");
            }
            assert!(began.elapsed() < LIMIT + Duration::from_millis(5), "{:?}", began.elapsed());
            assert!(!here.handle().is_in(&"own".parse().expect("valid")));
            drop(hold);
            eventually("the store knows", async || cluster.nodes[1].service.room("own").await.is_err()).await;
            eventually("it is reported", async || ledger.left("own").len() == 1).await;
            here.disconnect();
            ledger.gone(1).await;
            assert_eq!(ledger.left("own").len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn during_a_re_registration_no_call_exceeds_its_timeout() {
    let (cluster, ledger, here, there) = members().await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    node.service.join_room(here.handle(), "own").await.expect("joins");
    let (second, third) =
        (node.server.connect().await.expect("connects"), node.server.connect().await.expect("connects"));
    for client in [&second, &third] {
        node.service.join_room(client.handle(), "own").await.expect("joins");
    }
    node.store.fence().await;
    let restores = node.store.hold(Moment::Before, "restore");
    let waiting = [
        node.service.join_room(here.handle(), "r2").await,
        node.service.set_client_metadata(here.handle(), Metadata::new()).await,
        node.server.connect().await.map(drop),
    ];
    for refused in waiting {
        assert_eq!(refused.expect_err("it heals").code(), ErrorCode::StateUnavailable);
    }
    restores.reached().await;
    let began = Instant::now();
    node.service.leave_room(second.handle(), "own").await.expect("leaves");
    assert!(is_limit(began.elapsed()), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(node.service.handle_disconnect(third.handle(), DisconnectReason::PingTimeout).await, ["own"]);
    assert!(is_limit(began.elapsed()), "{:?}", began.elapsed());
    assert!(!third.handle().is_connected() && !second.handle().is_in(&"own".parse().expect("valid")));

    restores.release();
    eventually("the first is back", async || {
        other.service.client(here.id()).await.is_ok_and(|c| c.rooms == ["own", "r"])
    })
    .await;
    eventually("the third is gone", async || other.service.client(third.id()).await.is_err()).await;
    for client in [here, there, second] {
        client.disconnect();
    }
    eventually("nobody is left", async || other.service.client_count().await.expect("answers") == 0).await;
    ledger.assert_all_left().await;
}

/// A service that is about to start on a store and a backplane that are not ready.
struct Builder {
    config: WebSocketConfig,
    store: Arc<WatchedStore>,
    bus: Arc<WatchedBus>,
}

impl Builder {
    async fn build(&self) -> Result<WebSocketService, Error> {
        let builder = WebSocketService::builder(self.config.clone());
        builder.state_and_backplane(self.store.clone(), self.bus.clone()).build().await
    }
}

fn late(script: impl FnOnce(&WatchedStore, &WatchedBus)) -> Builder {
    let mut config = bounded();
    config.node_id = Some(NodeId::new("late").expect("valid"));
    let state = Arc::new(MemoryState::new());
    let (store, bus) = (WatchedStore::new(state.clone()), WatchedBus::new(state));
    script(&store, &bus);
    Builder { config, store, bus }
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_a_backend_that_comes_up_late_or_hangs_at_first() {
    for system in ["store", "bus"] {
        let late = late(|store, bus| if system == "store" { store.go_down() } else { bus.go_down() });
        let (store, bus) = (late.store.clone(), late.bus.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            store.come_back();
            bus.come_back();
        });
        let service = late.build().await.expect("waits for it");
        service.create_room("r", NewRoom::default()).await.expect("works");
    }
    let hangs = late(|store, bus| {
        drop(store.hold(Moment::Before, "begin_lease"));
        drop(bus.hold(Moment::Before, "open"));
    });
    hangs.build().await.expect("tries again");
    assert_eq!(hangs.store.take_log(), ["begin_lease", "begin_lease"]);
    assert_eq!(hangs.bus.take_log(), ["open", "open"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_fails_when_the_backend_is_not_there_within_the_timeout_of_repeats() {
    let late = late(|store, _| store.go_down());
    let began = Instant::now();
    let refused = late.build().await.expect_err("nothing is there");
    assert_eq!(refused.code(), ErrorCode::StateUnavailable);
    assert!(began.elapsed() <= late.config.retry_config.timeout, "{:?}", began.elapsed());
    // The pauses grow by chance; the last may leave no time.
    assert!((3..=4).contains(&late.store.take_log().len()), "the first try and the repeats");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_a_stop_up_no_longer_than_for_one_answer_each_way() {
    let mut config = bounded();
    config.drain.timeout = Duration::ZERO;
    let node = watched(MemoryState::new(), config, Gateway::new()).await;
    let ledger = Ledger::of([node.service.clone()]);
    let mut clients = Vec::new();
    for _ in 0..50 {
        let client = node.server.connect().await.expect("connects");
        node.service.join_room(client.handle(), "r").await.expect("joins");
        clients.push(client);
    }
    node.store.hang();
    let began = Instant::now();
    node.service.shutdown().await;
    assert!(began.elapsed() < 5 * LIMIT, "{:?}", began.elapsed());
    assert!(clients.iter().all(|client| !client.handle().is_connected()));
    assert_eq!(ledger.left("r"), [], "the node that cleans up reports them");
}
