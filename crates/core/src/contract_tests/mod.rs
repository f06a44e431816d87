//! The contract of [`StateStore`](crate::StateStore) and [`Backplane`](crate::Backplane), as tests that
//! every backend runs.
//!
//! A backend provides a [`Cluster`] and calls [`contract_tests!`](crate::contract_tests!) once, in a file of its
//! `tests` folder. Each property becomes a test of its own, named for what it proves:
//!
//! ```ignore
//! use roomwire_core::contract_tests::Cluster;
//!
//! /// A fresh, empty cluster.
//! async fn cluster() -> impl Cluster {
//!     MyCluster::start().await
//! }
//!
//! roomwire_core::contract_tests!(cluster);
//! ```
//!
//! The crate that calls it needs tokio with `macros` and `rt-multi-thread` among its dev-dependencies.
//! Properties are ordinary functions over `&dyn Cluster`: a test may also call a single one, for example with a wrapper
//! that injects faults.

mod backplane;
mod capacity;
mod client;
mod closing;
mod cluster;
mod fencing;
mod fixture;
mod lease;
mod membership;
mod names;
mod nodes;
mod order;
mod paging;
mod race;
mod reaping;
mod restore;
mod revocations;
mod room;
mod settings;
mod stored_clients;
mod users;
mod wire;

pub use cluster::{Cluster, Node};

/// Declares a test of every property. Takes the name of an `async fn() -> impl Cluster`, which is called once for each
/// test and returns a cluster without any state.
#[macro_export]
macro_rules! contract_tests {
    ($cluster:ident) => {
        $crate::__contract_properties!($crate::__contract_test, $cluster);
    };
}

/// One module of tests for each group. A property that takes longer than a minute fails as hung.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_test {
    ($cluster:ident: $($group:ident { $($property:ident,)* })*) => {$(
        mod $group {$(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $property() {
                let cluster = super::$cluster().await;
                let property = $crate::contract_tests::$property(&cluster);
                ::tokio::time::timeout(::std::time::Duration::from_secs(60), property).await.expect("ends in time");
            }
        )*}
    )*};
}

/// The list. A property that is missing here is neither exported nor used, and the compiler warns.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_properties {
    ($then:path, $with:ident) => {
        $then! { $with:
            lease {
                a_lease_of_which_nothing_was_lost_is_not_behind,
                a_lease_that_is_kept_is_never_reported,
                a_lease_that_ran_out_may_be_renewed_until_it_is_reaped,
                a_lease_that_ran_out_still_writes_until_it_is_reaped,
                an_ended_lease_is_reported_with_what_it_left_behind,
                beginning_a_lease_twice_is_beginning_it_once,
                ending_a_lease_twice_or_without_one_is_no_error,
                every_renewal_reports_the_expired_leases,
                two_incarnations_of_one_node_are_told_apart,
            }
            fencing {
                an_incarnation_that_ended_is_refused_every_write,
                an_incarnation_that_ended_never_begins_again,
                an_incarnation_that_never_began_is_refused_every_write,
                an_incarnation_that_was_reaped_is_refused_every_write,
            }
            client {
                a_client_is_kept_as_it_was_registered,
                a_client_that_moved_is_out_of_reach_of_its_old_incarnation,
                a_join_and_a_disconnect_of_one_client_leave_no_member_behind,
                activity_is_noted_and_never_goes_back,
                an_unregistered_client_is_listed_nowhere,
                clients_are_counted,
                disconnecting_again_removes_nothing,
                disconnecting_returns_the_rooms_sorted_and_removes_everything,
                metadata_of_a_client_is_replaced_whole,
                metadata_of_a_client_of_another_incarnation_is_refused,
                registering_again_replaces_the_record_and_keeps_the_memberships,
                registering_under_another_incarnation_drops_the_memberships_of_the_old,
            }
            membership {
                a_join_outlives_a_racing_last_leave,
                a_room_shows_the_members_of_every_node,
                joining_again_changes_nothing_and_says_so,
                joining_creates_the_room_and_both_sides_know,
                joining_needs_a_client_of_this_incarnation,
                leaving_again_ends_nothing,
                leaving_ends_one_membership_and_no_other,
            }
            capacity {
                a_full_room_refuses_clients_that_are_no_members,
                a_lowered_capacity_keeps_the_members_and_accepts_no_other_client,
                a_place_that_was_left_is_given_again,
                a_raised_or_removed_capacity_admits_again,
                a_room_with_capacity_zero_accepts_no_client,
                fewer_joins_than_places_all_succeed,
                joins_and_leaves_at_once_never_exceed_the_capacity,
                racing_joins_fill_a_room_exactly,
                racing_joins_share_no_place,
            }
            closing {
                a_closed_room_refuses_clients_that_are_no_members,
                a_closed_room_stays_without_members,
                an_opened_room_admits_again,
                an_opened_room_stays_until_its_last_member_leaves,
                closed_is_asked_before_full,
                closing_a_missing_room_creates_it_closed,
                closing_and_opening_again_changes_nothing,
                no_client_joins_a_room_after_its_close_returned,
            }
            room {
                a_join_that_races_a_deletion_is_deleted_or_begins_a_new_incarnation,
                a_repeated_deletion_gets_its_answer_and_deletes_nothing_else,
                a_resolved_deletion_does_not_take_place,
                a_room_created_by_joining_vanishes_with_its_last_member,
                a_room_created_by_name_is_kept_as_it_was_given,
                a_room_created_by_name_stays_without_members,
                a_room_created_by_name_that_is_not_kept_vanishes_with_its_last_member,
                a_room_has_one_uid_while_it_exists_and_another_when_it_exists_again,
                creating_a_room_that_exists_is_refused,
                deleting_a_missing_room_is_no_error,
                deleting_a_room_ends_and_returns_its_memberships,
                of_racing_creations_one_succeeds,
                what_a_deletion_removed_is_told_apart_from_what_was_left_before,
            }
            settings {
                a_change_of_a_missing_room_is_refused,
                changes_do_not_keep_a_room_without_members,
                metadata_of_a_room_is_replaced_whole,
                times_of_a_room_tell_when_it_was_created_and_last_changed,
            }
            reaping {
                a_client_that_moved_is_not_reaped,
                a_live_or_unknown_incarnation_is_not_reaped,
                a_reaped_incarnation_leaves_nothing_behind,
                a_reaper_that_stops_half_way_is_succeeded_by_another,
                clients_that_come_back_meanwhile_are_not_reaped,
                each_departure_is_reported_to_one_of_many_reapers,
                the_first_step_fences_the_incarnation,
                what_a_clean_up_removed_is_told_apart_from_what_the_incarnation_ended_itself,
            }
            restore {
                a_restored_client_moves_with_all_that_was_given,
                a_restored_room_that_still_exists_keeps_its_uid,
                a_restored_room_vanishes_with_its_last_member,
                restoring_asks_neither_capacity_nor_closing,
                restoring_keeps_the_memberships_of_this_incarnation,
                restoring_puts_clients_and_memberships_back,
                restoring_twice_is_restoring_once,
                what_a_deletion_ended_is_not_put_back,
            }
            stored_clients {
                an_ended_or_unknown_incarnation_has_no_entries,
                ended_clients_and_memberships_are_not_listed,
                entries_of_other_incarnations_are_not_listed,
                every_stored_client_is_on_a_page,
                lasting_entries_are_listed_while_others_are_added_and_removed,
                moved_clients_are_listed_under_the_new_incarnation_only,
                stored_clients_are_read_without_a_lease,
            }
            paging {
                a_list_of_nothing_is_one_empty_page,
                every_client_is_on_a_page,
                every_member_is_on_a_page,
                every_room_is_on_a_page,
                what_stays_is_read_while_others_come_and_go,
            }
            users {
                a_client_that_is_registered_again_is_its_new_users,
                a_users_clients_that_stay_are_read_while_others_come_and_go,
                an_anonymous_client_belongs_to_no_user,
                clients_of_a_lost_node_leave_their_users,
                clients_of_a_user_are_told_on_every_node,
                clients_of_a_user_that_race_are_counted_exactly,
                restored_clients_are_their_users,
                users_never_mix,
            }
            revocations {
                a_revocation_is_told_to_every_node_as_it_was_given,
                an_expired_revocation_is_forgotten,
                every_revocation_is_on_a_page,
                of_two_revocations_the_later_moments_count,
            }
            nodes {
                a_node_is_listed_until_nothing_is_left_of_it,
                every_node_is_listed_with_what_it_holds,
            }
            names {
                names_that_are_joined_alike_stay_apart,
                namespaces_never_meet,
                odd_names_are_kept_and_never_mix,
                odd_node_names_never_mix,
            }
            backplane {
                a_close_ends_the_stream_and_nothing_else,
                a_message_keeps_its_bytes,
                a_message_reaches_every_other_subscriber_once,
                a_node_is_reached_by_its_name_from_the_start,
                a_subscribed_node_may_be_reached,
                after_an_unsubscribe_nothing_more_is_published_to_a_node,
                channels_never_mix,
                every_node_hears_what_is_for_all_from_its_start,
                own_messages_do_not_come_back,
                processes_with_one_node_id_are_two,
                publishing_without_subscribers_is_no_error,
                subscribed_means_subscribed,
                subscribing_and_unsubscribing_again_changes_nothing,
            }
            order {
                messages_of_one_sender_on_one_channel_keep_their_order,
                messages_of_several_senders_keep_the_order_of_each,
                order_holds_while_others_come_and_go,
            }
        }
    };
}

macro_rules! export {
    (properties: $($group:ident { $($property:ident,)* })*) => {
        $(pub use self::$group::{$($property),*};)*
    };
}
__contract_properties!(export, properties);
