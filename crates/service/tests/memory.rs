//! Memory returns after very many clients and rooms have come and gone. A process of its own, so that nothing else
//! allocates meanwhile. `FULL_TESTS` makes it a million joins.
#![cfg(target_os = "linux")]

use std::time::Duration;

use roomwire_service::{Error, Gateway, PageRequest, WebSocketConfig, WebSocketService, testing::TestServer};
use roomwire_state_memory::MemoryState;

/// The rooms of one client: half of them it leaves, the others it is in when it disconnects.
const ROOMS: usize = 10;

/// Clients at one time.
const CLIENTS: usize = 20;

/// Joins that fill what is kept on purpose: buffers, the log of deletions, the memory of the allocator.
const WARM_UP: usize = 40_000;

/// The growth that is allowed. A leak of 50 bytes a join is more than this in the short run.
const MOST: usize = 8 << 20;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// So many joins of rooms with names of their own, by clients that come and go.
async fn churn(server: &TestServer, names: &str, joins: usize) {
    let service = server.service();
    for turn in 0..joins / ROOMS / CLIENTS {
        let clients = (0..CLIENTS).map(|number| async move {
            let client = server.connect().await?;
            for room in 0..ROOMS {
                let room = format!("{names}-{turn}-{number}-{room}");
                service.join_room(client.handle(), &*room).await?;
            }
            for room in 0..ROOMS / 2 {
                let room = format!("{names}-{turn}-{number}-{room}");
                service.leave_room(client.handle(), &*room).await?;
            }
            client.disconnect();
            Ok::<_, Error>(())
        });
        futures_util::future::try_join_all(clients).await.expect("joins and leaves");
        while service.local_client_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn memory_returns_after_very_many_joins_and_leaves() {
    let joins = if std::env::var_os("FULL_TESTS").is_some() { 1_000_000 } else { 200_000 };
    let mut config = WebSocketConfig::default();
    config.limits = config.limits.without_rates();
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = TestServer::new(service.clone(), Gateway::new()).expect("mounts");
    churn(&server, "warm", WARM_UP).await;
    let before = resident();
    churn(&server, "then", joins).await;
    let grown = resident().saturating_sub(before);
    println!("{joins} joins: {} kB before, {} kB more", before / 1024, grown / 1024);
    assert_eq!(service.room_count().await.expect("counts"), 0);
    assert_eq!(service.client_count().await.expect("counts"), 0);
    let rooms = service.rooms(&PageRequest::first(10)).await.expect("reads");
    assert!(rooms.items.is_empty(), "{rooms:?}");
    assert!(grown < MOST, "{joins} joins and leaves left {grown} bytes");
}
