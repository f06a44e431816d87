//! Clocks that are wrong.

use std::time::Duration;

use roomwire_chaos::{Fixture, Plan};
use roomwire_test_servers::{Settings, ShiftedClock};
use tokio::time::{Instant, sleep};

use crate::NODE;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_an_hour_off_lose_no_client() {
    let (of_redis, of_node) = (ShiftedClock::new(), ShiftedClock::new());
    let redis =
        of_redis.variables().into_iter().fold(Settings::default(), |s, (name, value)| s.with_variable(name, value));
    let plan = Plan { redis, variables_of_last: of_node.variables(), ..Plan::default() };
    let fixture = Fixture::set(NODE, plan).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let time = async || fixture.redis().ask::<(u64, u64)>(&["TIME"]).await.0;
    let real = time().await;
    for (what, clock, ahead) in [
        ("a node's clock jumps an hour ahead", &of_node, HOUR),
        ("Redis' clock jumps an hour ahead", &of_redis, HOUR),
        ("Redis' clock goes back an hour", &of_redis, Duration::ZERO),
        ("the node's clock goes back an hour", &of_node, Duration::ZERO),
    ] {
        clock.set_ahead(ahead);
        let off = time().await.saturating_sub(real);
        println!("{what}; Redis is {off} s ahead of its beginning");
        // As long as a lease takes to expire.
        sleep(Duration::from_secs(if std::ptr::eq(clock, &of_redis) { 13 } else { 3 })).await;
        let left = fixture.ledger.left_since(from);
        assert!(left.is_empty(), "{what}: {} were reported to have left", left.len());
        fixture.converged(Instant::now(), Duration::from_secs(1)).await;
    }
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
