//! Redis that is started again with older data, while the nodes go on writing.

use std::time::Duration;

use futures_util::future::join_all;
use roomwire_chaos::{Client, Entry, Fixture, Plan, Roster, control::Happening, eventually};
use tokio::time::{Instant, sleep};

use crate::{NODE, QUICK_LEASE as LEASE, quick};

/// The last write before a crash is lost, and what was waiting for the server is written before the next heartbeat:
/// that others were lost shows all the same, and the member is put back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_that_the_server_lost_is_put_back_though_others_leave_meanwhile() {
    let mut fixture = Fixture::set(NODE, Plan { clients: 90, ..Plan::default() }).await;
    let from = fixture.ledger.len();
    let member = fixture.newcomer(0).await;
    let mut leavers = Vec::new();
    for _ in 0..30 {
        let leaver = fixture.newcomer(0).await;
        leaver.join("others").await.expect("joins");
        leavers.push(leaver);
    }
    fixture.redis().save().await;
    member.join("lost").await.expect("joins");
    assert_eq!(fixture.checker.members_of("lost").await, 1);

    fixture.redis_mut().kill();
    let leaving = join_all(leavers.iter().map(|client| client.leave("others")));
    let starting = async {
        sleep(Duration::from_millis(100)).await;
        fixture.redis_mut().start_again().await;
    };
    let (left, ()) = tokio::join!(leaving, starting);
    assert!(left.iter().all(Result::is_ok), "{left:?}");

    let began = Instant::now();
    let mut seen = Vec::new();
    while began.elapsed() < Duration::from_secs(25) {
        let there = fixture.checker.members_of("lost").await;
        // The node's view: it does not deliver to a room without local members.
        member.belief().heard.clear();
        let _ = member.say("lost", "echo", 1).await;
        sleep(Duration::from_millis(300)).await;
        let hears = !member.belief().heard.is_empty();
        if seen.last().is_none_or(|(_, last)| *last != (there, hears)) {
            seen.push((began.elapsed(), (there, hears)));
        }
    }
    let told = fixture.ledger.left_since(from).keys().filter(|(room, _)| room == "lost").count();
    println!(
        "(in Redis, hears its room): {seen:?}; reported to have left: {told}; it believes {:?}",
        member.belief().rooms
    );
    assert_eq!(seen.last().expect("looked").1.0, 1, "the client is in the room, and Redis knows");
}

/// How the last node ends, after Redis has saved its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// In good order, which its own events tell.
    Stopped,
    /// It is killed, and others clean up.
    CleanedUp,
    /// It is killed at the same moment as Redis.
    Unnoticed,
    /// As that, and one of its clients went before.
    UnnoticedAfterOneWent,
}

const ENDS: [End; 4] = [End::Stopped, End::CleanedUp, End::Unnoticed, End::UnnoticedAfterOneWent];

fn id_of(client: &Client) -> String {
    client.belief().id.clone().expect("is connected")
}

/// How many clients are reported to be gone.
fn gone(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| matches!(entry.what, Happening::Disconnected { .. })).count()
}

/// Lets the last node end, and Redis come back with data from before. Returns the clients with a second end that is
/// documented.
async fn end_and_lose(fixture: &mut Fixture, end: End) -> Vec<String> {
    let from = fixture.ledger.len();
    let mut clients = Vec::new();
    for node in [2, 2, 2, 2, 0, 0] {
        let client = fixture.newcomer(node).await;
        // For a while after data was lost newcomers are refused.
        eventually("a join is possible", Duration::from_secs(5), async || client.join("old").await.ok()).await;
        clients.push(client);
    }
    let mut again: Vec<String> = clients[..4].iter().map(id_of).collect();
    fixture.redis().save().await;
    // What the data does not know: one of a node that lives, one of the last node, and that node.
    drop(clients.pop());
    let mut ended = 1;
    if end != End::Unnoticed {
        drop(clients.remove(0));
        ended += 1;
    }
    fixture.ledger.until("they are gone", from, Duration::from_secs(5), |entries| gone(entries) >= ended).await;
    match end {
        End::Stopped => drop(fixture.stop_nodes(&[2]).await),
        End::CleanedUp => drop(fixture.kill_nodes(&[2]).await),
        End::Unnoticed => again.clear(),
        End::UnnoticedAfterOneWent => again.truncate(1),
    }
    if matches!(end, End::Stopped | End::CleanedUp) {
        let all = |entries: &[Entry]| gone(entries) >= 5;
        fixture.ledger.until("all of the node are gone", from, Duration::from_secs(5), all).await;
    } else {
        fixture.kill_nodes(&[2]).await;
    }
    fixture.redis_mut().kill();
    fixture.redis_mut().start_again().await;
    assert_eq!(fixture.checker.members_of("old").await, 6, "the data is older");
    clients.clear();
    again
}

/// The second ends of memberships and of clients, each in the order of the clients. They all have one reason.
fn second_ends(ignored: Vec<Entry>) -> (Vec<String>, Vec<String>) {
    let (mut left, mut disconnected) = (Vec::new(), Vec::new());
    for entry in ignored {
        let (list, client, reason) = match entry.what {
            Happening::Left { client, reason, .. } => (&mut left, client, reason),
            Happening::Disconnected { client, reason } => (&mut disconnected, client, reason),
            what => panic!("{what:?} is no end"),
        };
        assert_eq!(reason, "node lost", "the second end of {client}");
        list.push(client);
    }
    left.sort_unstable();
    disconnected.sort_unstable();
    (left, disconnected)
}

/// Second ends come where docs/outage.md says so and nowhere else, and an application that follows the events as it
/// advises knows in the end just what there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_older_data_does_not_know_ends_twice_only_if_its_node_is_gone_and_no_list_is_wrong_20_times() {
    let mut fixture = Fixture::set(NODE, Plan { clients: 6, node_of: |client| client % 2, ..quick() }).await;
    let mut due = Vec::new();
    for round in 0..20 {
        let (began, from) = (Instant::now(), fixture.ledger.len());
        let end = ENDS[round % ENDS.len()];
        let again = end_and_lose(&mut fixture, end).await;
        let lost = began.elapsed();
        let all = |entries: &[Entry]| gone(entries) >= 6 + again.len();
        fixture.ledger.until("the ends and second ends", from, Duration::from_secs(10), all).await;
        let ended = began.elapsed();
        // Nothing of the last node is left in the store.
        fixture.converged(Instant::now(), Duration::from_secs(10)).await;
        fixture.start_node(2).await;
        println!("{end:?}: lost {lost:.1?}, ended {ended:.1?}, agreed and started {:.1?}", began.elapsed());
        due.extend(again);
    }
    sleep(2 * LEASE).await;
    fixture.converged(Instant::now(), Duration::from_secs(1)).await;
    let roster = Roster::of(&fixture.ledger.since(0));
    assert_eq!(roster.members, fixture.crowd.memberships(), "the list of members");
    assert_eq!(roster.clients, fixture.crowd.iter().map(id_of).collect(), "the list of clients");
    assert!(roster.repeated.is_empty(), "began twice: {:?}", roster.repeated);
    due.sort_unstable();
    assert_eq!(second_ends(roster.ignored), (due.clone(), due), "second ends");
}
