//! What is followed over HTTP, and what a follower gets.

use roomwire_core::{ClientId, Namespace, Payload, RoomId, Timestamp, UserId};
use roomwire_service::{Activity, Followed, Recipient};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

/// What to follow, and for how long.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Following {
    /// The namespace. It must be one that the gateways of this node serve.
    #[param(default = "/", nullable = false, max_length = 128, pattern = "^/[^,?{}\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub(crate) namespace: Option<String>,
    /// Whether items have the payloads of events. They may be private.
    #[param(default = false, nullable = false)]
    pub(crate) payloads: Option<bool>,
    /// For how many seconds to follow, with fractions; without it, until the request is ended or the node shuts down.
    #[param(nullable = false, minimum = 0.001, maximum = 86400)]
    pub(crate) seconds: Option<f64>,
}

/// An item of a followed room or user. What it has depends on its kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveItem {
    kind: Kind,
    /// When it happened, by the clock of this node.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = String)]
    namespace: Namespace,
    /// The client that sent the event, gets the message, or changed its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    client: Option<ClientId>,
    /// The user of that client, or the user that gets the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    user: Option<UserId>,
    /// The room that gets the message, or that the client joined or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    room: Option<RoomId>,
    /// The recipients of a sent message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to: Option<&'static str>,
    /// The client that does not get the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    except: Option<ClientId>,
    /// The name of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event: Option<String>,
    /// The size of its arguments in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    payload_bytes: Option<usize>,
    /// Its arguments, if `payloads=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>, nullable = false)]
    payload: Option<Box<RawValue>>,
    /// The arguments of an acknowledgement, if `payloads=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>, nullable = false)]
    answer: Option<Box<RawValue>>,
    /// `OK`, or the code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    outcome: Option<&'static str>,
    /// How long the handler or the acknowledgement took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    took_ms: Option<f64>,
    /// The number of this node's clients that the message was queued for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    queued: Option<usize>,
    /// The number of this node's clients that did not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    failed: Option<usize>,
    /// Why the client left or disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
    /// The number of items that a slow reader missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    items: Option<u64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// A client sent an event, and it was handled or refused.
    Received,
    /// A message was sent.
    Sent,
    /// A client was asked for an acknowledgement.
    AckRequested,
    /// The client connected.
    Connected,
    /// The client disconnected.
    Disconnected,
    /// The client joined the room.
    Joined,
    /// The client left the room.
    Left,
    /// Messages of other nodes may have been missed.
    Gap,
    /// The reader was too slow and missed items.
    Missed,
    /// Something that this version of the API does not know.
    Other,
}

impl LiveItem {
    /// The item with its payloads, or without.
    pub(crate) fn of(followed: Followed, with_payloads: bool) -> Self {
        let Followed { at, namespace, client, user, room, activity, .. } = followed;
        let text = |payload: &Payload| with_payloads.then(|| arguments(payload)).flatten();
        let millis = |took: std::time::Duration| took.as_secs_f64() * 1000.0;
        let mut item = Self::bare(at, namespace);
        (item.client, item.user, item.room) = (client, user, room);
        match activity {
            Activity::Received { event, payload, outcome, took } => {
                item.kind = Kind::Received;
                item.event = event.map(|event| event.as_str().to_owned());
                item.payload_bytes = payload.as_ref().map(Payload::size);
                item.payload = payload.as_ref().and_then(text);
                (item.outcome, item.took_ms) = (Some(outcome), took.map(millis));
            }
            Activity::Sent { to, except, event, payload, queued, failed } => {
                item.kind = Kind::Sent;
                item.to = Some(recipients(to));
                (item.except, item.event) = (except, Some(event.as_str().to_owned()));
                (item.payload_bytes, item.payload) = (Some(payload.size()), text(&payload));
                (item.queued, item.failed) = (Some(queued), Some(failed));
            }
            Activity::AckRequested { event, payload, answer, outcome, took } => {
                item.kind = Kind::AckRequested;
                item.event = Some(event.as_str().to_owned());
                (item.payload_bytes, item.payload) = (Some(payload.size()), text(&payload));
                item.answer = answer.as_ref().and_then(text);
                (item.outcome, item.took_ms) = (Some(outcome), Some(millis(took)));
            }
            Activity::Connected => item.kind = Kind::Connected,
            Activity::Disconnected { reason } => {
                (item.kind, item.reason) = (Kind::Disconnected, Some(reason.as_str()));
            }
            Activity::Joined => item.kind = Kind::Joined,
            Activity::Left { reason } => (item.kind, item.reason) = (Kind::Left, Some(reason.as_str())),
            Activity::Gap => item.kind = Kind::Gap,
            Activity::Missed { items } => (item.kind, item.items) = (Kind::Missed, Some(items)),
            _ => {}
        }
        item
    }

    fn bare(at: Timestamp, namespace: Namespace) -> Self {
        Self {
            kind: Kind::Other,
            at,
            namespace,
            client: None,
            user: None,
            room: None,
            to: None,
            except: None,
            event: None,
            payload_bytes: None,
            payload: None,
            answer: None,
            outcome: None,
            took_ms: None,
            queued: None,
            failed: None,
            reason: None,
            items: None,
        }
    }
}

/// The arguments as an array. Binary values are placeholders in it.
fn arguments(payload: &Payload) -> Option<Box<RawValue>> {
    RawValue::from_string(format!("[{}]", payload.arguments())).ok()
}

fn recipients(to: Recipient) -> &'static str {
    match to {
        Recipient::Client => "client",
        Recipient::Room => "room",
        Recipient::User => "user",
        Recipient::All => "all",
        _ => "other",
    }
}
