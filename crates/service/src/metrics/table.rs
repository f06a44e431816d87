//! The metrics of this crate.

use metrics::Unit;
use roomwire_core::{DisconnectReason, Metric, metric_table};

use super::{
    labels::{CODES, FAILURES, OUTCOMES, REFUSED},
    limit::LIMITS,
    timed_backplane, timed_store,
};

/// Operations of the service that are timed.
const OPERATIONS: &[&str] = &["broadcast", "send to user", "send to client", "join", "leave"];

metric_table! {
    CLIENTS = Metric::gauge("roomwire_clients", "Connected clients, one for each namespace that a session is in.");
    CLIENTS_CONNECTED = Metric::counter("roomwire_clients_connected_total", "Clients that connected to a namespace.");
    CLIENTS_REFUSED = Metric::counter("roomwire_clients_refused_total", "Clients that were not admitted to a namespace, by error code.")
        .by("code", CODES);
    CLIENTS_DISCONNECTED = Metric::counter("roomwire_clients_disconnected_total", "Clients that disconnected, by reason.")
        .by("reason", &DisconnectReason::NAMES);
    AUTHENTICATIONS = Metric::counter("roomwire_authentications_total", "Calls of the authenticator, by outcome.")
        .by("outcome", OUTCOMES);
    ACCESS_REVOKED = Metric::counter("roomwire_access_revoked_total", "Clients that were disconnected because their access was revoked.");
    SLOW_CONSUMERS = Metric::counter("roomwire_slow_consumers_total", "Clients that were disconnected because they did not read fast enough.");

    EVENTS_RECEIVED = Metric::counter("roomwire_events_received_total", "Events that clients sent, also invalid ones.");
    EVENTS = Metric::counter("roomwire_events_total", "Events of clients that were answered or handled, by outcome.")
        .by("outcome", OUTCOMES);
    EVENTS_DROPPED = Metric::counter("roomwire_events_dropped_total", "Events that were not handled because their client was disconnected.");
    EVENTS_PENDING = Metric::gauge("roomwire_events_pending", "Events that wait in a mailbox, are deferred or are being handled.");
    EVENT_DURATION = Metric::seconds("roomwire_event_duration_seconds", "Time in the layers and the handler of an event.");

    MESSAGES_QUEUED = Metric::counter("roomwire_messages_queued_total", "Events that were put into the send queue of a client, each recipient counted.");
    MESSAGES_DROPPED = Metric::counter("roomwire_messages_dropped_total", "Events for a client that were not put into its send queue, by reason.")
        .by("reason", &["disconnected", "buffer full"]);
    ACKNOWLEDGEMENTS_QUEUED = Metric::counter("roomwire_acknowledgements_queued_total", "Acknowledgements that were put into the send queue of a client.");
    LIMITED = Metric::counter("roomwire_limited_total", "Rejections and delays because of a limit, by its configuration key.")
        .by("limit", LIMITS);

    ROOMS = Metric::gauge("roomwire_rooms", "Rooms with clients or followers on this node.");
    MEMBERSHIPS = Metric::gauge("roomwire_memberships", "Memberships of this node's clients in rooms.");
    OPERATION_DURATION = Metric::seconds("roomwire_operation_duration_seconds", "Time of an operation of the service, also of one that failed.")
        .by("operation", OPERATIONS);
    ROLLBACKS = Metric::counter("roomwire_rollbacks_total", "Operations without an answer of the store that are undone there, in case they succeeded.")
        .by("operation", &["connect", "join"]);

    STATE_AVAILABLE = Metric::gauge("roomwire_state_available", "1 while the shared state is reachable, else 0.");
    STATE_CALL_DURATION = Metric::seconds("roomwire_state_call_duration_seconds", "Time of a call of the store, also of one that failed.")
        .by("operation", timed_store::OPERATIONS);
    STATE_CALL_FAILURES = Metric::counter("roomwire_state_call_failures_total", "Calls of the store that failed, by cause.")
        .by("cause", FAILURES);
    STATE_RETRIES = Metric::counter("roomwire_state_retries_total", "Repeated attempts of calls of the store and the backplane.");
    STATE_REFUSED = Metric::counter("roomwire_state_refused_total", "Operations that a reachable store or backplane refused, by its code.")
        .by("code", REFUSED);
    STATE_LOSSES = Metric::counter("roomwire_state_losses_total", "How often the store was found to have lost data of this node.");
    RECONCILED = Metric::counter("roomwire_reconciled_total", "Differences between this node and the store that were repaired, by repair.")
        .by("what", &[
            "client restored", "membership restored", "client removed", "membership removed", "membership forgotten",
            "client rewritten",
        ]);
    PENDING_WRITES = Metric::gauge("roomwire_pending_writes", "Changes that the store has not confirmed yet, at the latest heartbeat.");
    LEASE_RENEWED = Metric::gauge("roomwire_lease_renewal_timestamp_seconds", "When this node last renewed its lease, in seconds since 1970.")
        .in_unit(Unit::Seconds);
    LEASES_LOST = Metric::counter("roomwire_leases_lost_total", "How often this node found that its lease had expired, and began another one.");
    REAPED = Metric::counter("roomwire_reaped_total", "What this node cleaned up after nodes that lost their lease.")
        .by("what", &["node", "client", "membership"]);

    BACKPLANE_AVAILABLE = Metric::gauge("roomwire_backplane_available", "1 while messages of other nodes arrive, else 0.");
    BACKPLANE_CALL_DURATION = Metric::seconds("roomwire_backplane_call_duration_seconds", "Time of a call of the backplane, also of one that failed.")
        .by("operation", timed_backplane::OPERATIONS);
    BACKPLANE_CALL_FAILURES = Metric::counter("roomwire_backplane_call_failures_total", "Calls of the backplane that failed, by cause.")
        .by("cause", FAILURES);
    BACKPLANE_DELAY = Metric::seconds("roomwire_backplane_delay_seconds", "Time from the publication of an event on another node to its delivery on this one.");
    BACKPLANE_GAPS = Metric::counter("roomwire_backplane_gaps_total", "Gaps in the messages of other nodes.");
    BACKPLANE_IGNORED = Metric::counter("roomwire_backplane_ignored_total", "Messages of other nodes that could not be read or delivered.");
}
