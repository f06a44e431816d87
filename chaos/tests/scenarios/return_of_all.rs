//! Everybody drops and comes back at once.

use std::{collections::BTreeSet, time::Duration};

use roomwire_chaos::{Client, Comeback, Fixture, Plan, eventually};
use tokio::time::Instant;

use crate::NODE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_drop_and_come_back_are_all_back_within_10_seconds() {
    let fixture = Fixture::set(NODE, Plan { comeback: Comeback::Anywhere, ..Plan::default() }).await;
    let (before, from) = (fixture.crowd.memberships(), fixture.ledger.len());
    let old: BTreeSet<String> = before.iter().map(|(_, client)| client.clone()).collect();
    let begin = Instant::now();
    fixture.crowd.iter().for_each(Client::hang_up);
    println!("all hung up within {:.2?}", begin.elapsed());
    let bound = Duration::from_secs(10);
    let back = eventually("all are back in their rooms", bound, async || {
        let all = fixture.crowd.iter().all(|client| {
            let belief = client.belief();
            belief.former.len() == 1 && belief.id.is_some() && belief.rooms == belief.wished
        });
        all.then(|| begin.elapsed())
    })
    .await;
    let converged = fixture.converged(begin, bound).await;
    println!("all were back in their rooms after {back:.2?}, and all agreed after {converged:.2?}");
    let stored = fixture.checker.stored().await.expect("the store answers");
    assert!(stored.clients().keys().all(|client| !old.contains(client)), "no old id is left");
    assert_eq!(stored.clients().len(), 1000);
    // What was taken out of the store is reported a moment later.
    eventually("all are reported", Duration::from_secs(2), async || {
        (fixture.ledger.left_since(from).len() >= before.len()).then_some(())
    })
    .await;
    fixture.assert_ledger(from, &before);
    fixture.assert_messages_flow(Duration::from_secs(3)).await;
}
