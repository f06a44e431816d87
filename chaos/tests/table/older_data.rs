//! Redis that is started again with older data, while the nodes go on writing.

use std::time::Duration;

use futures_util::future::join_all;
use roomwire_chaos::{Plan, Stage};
use tokio::time::{Instant, sleep};

use crate::NODE;

/// The last write before a crash is lost, and what was waiting for the server is written before the next heartbeat: that
/// others were lost shows all the same, and the member is put back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_that_the_server_lost_is_put_back_though_others_leave_meanwhile() {
    let mut stage = Stage::set(NODE, Plan { clients: 90, ..Plan::default() }).await;
    let from = stage.ledger.len();
    let member = stage.newcomer(0).await;
    let mut leavers = Vec::new();
    for _ in 0..30 {
        let leaver = stage.newcomer(0).await;
        leaver.join("others").await.expect("joins");
        leavers.push(leaver);
    }
    stage.redis().save().await;
    member.join("lost").await.expect("joins");
    assert_eq!(stage.checker.members_of("lost").await, 1);

    stage.redis_mut().kill();
    let leaving = join_all(leavers.iter().map(|client| client.leave("others")));
    let starting = async {
        sleep(Duration::from_millis(100)).await;
        stage.redis_mut().start_again().await;
    };
    let (left, ()) = tokio::join!(leaving, starting);
    assert!(left.iter().all(Result::is_ok), "{left:?}");

    let began = Instant::now();
    let mut seen = Vec::new();
    while began.elapsed() < Duration::from_secs(25) {
        let there = stage.checker.members_of("lost").await;
        // What its node believes: a room that nobody is in here is not delivered to.
        member.belief().heard.clear();
        let _ = member.say("lost", "echo", 1).await;
        sleep(Duration::from_millis(300)).await;
        let hears = !member.belief().heard.is_empty();
        if seen.last().is_none_or(|(_, last)| *last != (there, hears)) {
            seen.push((began.elapsed(), (there, hears)));
        }
    }
    let told = stage.ledger.left_since(from).keys().filter(|(room, _)| room == "lost").count();
    println!(
        "(in Redis, hears its room): {seen:?}; reported to have left: {told}; it believes {:?}",
        member.belief().rooms
    );
    assert_eq!(seen.last().expect("looked").1.0, 1, "the client is in the room, and Redis knows");
}
