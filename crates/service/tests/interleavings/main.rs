//! Random interleavings of all calls that change clients and memberships, checked against a model.
//!
//! An episode runs on one thread with a paused clock. All its randomness comes from one seed, so a failure can be
//! replayed: `MODEL_SEED=…` runs a single episode and prints its journal. `MODEL_STEPS=…` sets the
//! number of steps of each test. With `FULL_TESTS` set all tests together take more than a million. Episodes
//! on Redis are not deterministic.

mod backend;
mod bus;
mod calls;
mod check;
mod cluster;
mod connections;
mod device;
mod episode;
mod events;
mod faults;
mod gauge;
mod messages;
mod node;
mod operator;
mod profile;
mod races;
mod random;
mod store;

use std::time::Instant;

use episode::{Episode, at_random};
use profile::Profile;

/// A full run takes so many times the steps.
const IN_FULL: usize = 6;

/// Runs episodes until the given number of steps is reached.
fn explore(profile: Profile, steps: usize, script: &impl AsyncFn(&mut Episode<'_>) -> Result<usize, String>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("MODEL_SEED") {
        episode::run(profile, seed, true, script);
        return;
    }
    let is_full = std::env::var_os("FULL_TESTS").is_some();
    let steps = if is_full { steps * IN_FULL } else { steps };
    let steps = number("MODEL_STEPS").map_or(steps, |steps| steps as usize);
    let (began, mut taken, mut episodes) = (Instant::now(), 0, 0_u64);
    while taken < steps {
        // A change is judged by the same episodes each time; a full run looks for new ones.
        let seed = if is_full { rand::random() } else { episodes };
        taken += episode::run(profile, seed, false, script).0;
        episodes += 1;
    }
    println!("{}: {taken} steps in {episodes} episodes took {:?}", profile.name, began.elapsed());
}

/// Explores faults on Redis in a full run only: its episodes are not deterministic, and a change is judged by the same
/// ones each time.
fn explore_in_full(profile: Profile, steps: usize) {
    let is_full = std::env::var_os("FULL_TESTS").is_some();
    explore(profile, if is_full { steps } else { 0 }, &at_random);
}

#[test]
fn without_faults_store_nodes_and_listeners_agree() {
    explore(profile::CALM, 20_000, &at_random);
}

#[test]
fn clients_that_move_between_nodes_are_in_one_place() {
    explore(profile::MOVES, 20_000, &at_random);
}

#[test]
fn lost_calls_leave_nothing_behind() {
    explore(profile::LOST_CALLS, 20_000, &at_random);
}

#[test]
fn lost_leases_lose_no_client() {
    explore(profile::FENCES, 20_000, &at_random);
}

#[test]
fn nodes_that_stop_and_start_leave_nothing_behind() {
    explore(profile::STOPS, 20_000, &at_random);
}

#[test]
fn a_store_that_forgets_everything_is_told_again() {
    explore(profile::FORGETS, 20_000, &at_random);
}

#[test]
fn killed_nodes_leave_nothing_behind() {
    explore(profile::KILLS, 20_000, &at_random);
}

#[test]
fn nodes_that_are_cut_off_for_longer_than_their_lease_report_nothing_twice() {
    explore(profile::CUT_OFFS, 20_000, &at_random);
}

#[test]
fn whatever_goes_wrong_store_nodes_and_listeners_agree_afterwards() {
    explore(profile::EVERYTHING, 20_000, &at_random);
}

#[test]
fn with_redis_store_nodes_and_listeners_agree() {
    explore(profile::CALM.in_redis(), 1_500, &at_random);
}

#[test]
fn with_redis_clients_that_move_between_nodes_are_in_one_place() {
    explore_in_full(profile::MOVES.briefly_in_redis(), 1_000);
}

#[test]
fn with_redis_nodes_that_stop_and_start_leave_nothing_behind() {
    explore_in_full(profile::STOPS.briefly_in_redis(), 1_000);
}

#[test]
fn with_redis_killed_nodes_leave_nothing_behind() {
    explore_in_full(profile::KILLS.briefly_in_redis(), 1_000);
}

#[test]
fn with_redis_lost_leases_lose_no_client() {
    explore_in_full(profile::FENCES.briefly_in_redis(), 1_000);
}

#[test]
fn with_redis_lost_calls_leave_nothing_behind() {
    explore_in_full(profile::LOST_CALLS.briefly_in_redis(), 600);
}

#[test]
fn what_is_sent_from_another_node_reaches_the_stay_that_it_is_for() {
    explore(profile::CALM, 6_000, &races::reconnecting);
}

#[test]
fn two_tabs_of_a_user_that_close_at_once_leave_nothing_of_it() {
    explore(profile::CALM, 6_000, &races::two_tabs);
}

#[test]
fn with_redis_what_is_sent_from_another_node_reaches_the_stay_that_it_is_for() {
    explore(profile::CALM.in_redis(), 400, &races::reconnecting);
}

#[test]
fn with_redis_two_tabs_of_a_user_that_close_at_once_leave_nothing_of_it() {
    explore(profile::CALM.in_redis(), 400, &races::two_tabs);
}

#[test]
fn a_seed_replays_an_episode() {
    for profile in [profile::CALM, profile::LOST_CALLS, profile::FENCES, profile::STOPS] {
        let seed = rand::random();
        let [one, two] = [(); 2].map(|()| episode::run(profile, seed, false, at_random));
        assert_eq!(one, two, "{} {seed}", profile.name);
    }
}
