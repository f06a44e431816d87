//! What the traffic of a room costs a node without members.

use std::time::Duration;

use roomwire_chaos::{Fixture, Plan, eventually};
use tokio::time::{Instant, sleep_until};

use crate::NODE;

const MESSAGES: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_members_of_a_room_spends_no_measurable_cpu_on_its_traffic() {
    let fixture = Fixture::set(NODE, Plan { clients: 30, ..Plan::default() }).await;
    let (idle, speaker) = (fixture.node(2), fixture.node(0));
    let Some(begin) = idle.cpu() else {
        println!("this system does not tell");
        return;
    };
    let member = fixture.crowd.on(1).next().expect("a client is there");
    member.join("busy").await.expect("joins");
    let busy = vec!["busy".to_owned(); MESSAGES / 20];
    let start = Instant::now();
    for _ in 0..20 {
        assert!(speaker.broadcast(&busy, "said", 1).await.failed.is_empty());
    }
    eventually("all are heard", Duration::from_secs(10), async || {
        let heard = member.belief().heard.iter().filter(|heard| heard.said.room == "busy").count();
        (heard == MESSAGES).then_some(())
    })
    .await;
    let took = start.elapsed();
    let under_load = idle.cpu().expect("it told before") - begin;
    // As long again without any traffic.
    let (begin, start) = (idle.cpu().expect("as before"), Instant::now());
    sleep_until(start + took).await;
    let at_rest = idle.cpu().expect("as before") - begin;
    let each = under_load.saturating_sub(at_rest) / MESSAGES as u32;
    println!(
        "{MESSAGES} messages in {took:.1?}: {under_load:.1?} of CPU without members, {at_rest:.1?} without traffic"
    );
    assert!(each < Duration::from_micros(1), "{each:?} a message");
}
