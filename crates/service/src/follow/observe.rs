//! The writing side: what happens on this node, as far as a follower or the log wants it.

use std::time::Duration;

use roomwire_core::{ClientId, EventName, Namespace, OutboundEvent, Payload, RoomId, UserId};

use super::{Activity, FollowTarget, Followed, Followers, Recipient, lines};

/// The client that sent an event.
pub(crate) struct Origin<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) client: &'a ClientId,
    pub(crate) user: Option<&'a UserId>,
    /// Whether it is a member of a room.
    pub(crate) is_in: &'a dyn Fn(&RoomId) -> bool,
}

/// A message to clients.
pub(crate) struct Sending<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) to: Recipient,
    pub(crate) client: Option<&'a ClientId>,
    pub(crate) user: Option<&'a UserId>,
    pub(crate) room: Option<&'a RoomId>,
    pub(crate) except: Option<&'a ClientId>,
    /// Whether a client, or a client of a user, is among the recipients on this node.
    pub(crate) reaches: &'a dyn Fn(&FollowTarget) -> bool,
}

impl<'a> Sending<'a> {
    pub(crate) fn to_client(namespace: &'a Namespace, client: &'a ClientId, user: Option<&'a UserId>) -> Self {
        Self { client: Some(client), user, ..Self::to_all(namespace, None, &|_| false).kind(Recipient::Client) }
    }

    pub(crate) fn to_room(
        namespace: &'a Namespace,
        room: &'a RoomId,
        except: Option<&'a ClientId>,
        reaches: &'a dyn Fn(&FollowTarget) -> bool,
    ) -> Self {
        Self { room: Some(room), ..Self::to_all(namespace, except, reaches).kind(Recipient::Room) }
    }

    pub(crate) fn to_user(
        namespace: &'a Namespace,
        user: &'a UserId,
        reaches: &'a dyn Fn(&FollowTarget) -> bool,
    ) -> Self {
        Self { user: Some(user), ..Self::to_all(namespace, None, reaches).kind(Recipient::User) }
    }

    pub(crate) fn to_all(
        namespace: &'a Namespace,
        except: Option<&'a ClientId>,
        reaches: &'a dyn Fn(&FollowTarget) -> bool,
    ) -> Self {
        Self { namespace, to: Recipient::All, client: None, user: None, room: None, except, reaches }
    }

    fn kind(self, to: Recipient) -> Self {
        Self { to, ..self }
    }
}

/// A change of a client, as it is reported.
pub(crate) struct Reported<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) client: &'a ClientId,
    pub(crate) room: Option<&'a RoomId>,
    pub(crate) activity: Activity,
}

impl Followers {
    /// An event of a client was handled or rejected.
    pub(crate) fn received(
        &self,
        origin: &Origin<'_>,
        event: Option<&EventName>,
        payload: Option<&Payload>,
        outcome: &'static str,
        took: Option<Duration>,
    ) {
        let &Origin { namespace, client, user, is_in } = origin;
        let watching = self.watching();
        for entry in watching.followers.iter().filter(|entry| entry.namespace == *namespace) {
            if entry.target.covers_event(client, user, is_in) {
                entry.queue.push(Followed {
                    at: self.now(),
                    namespace: namespace.clone(),
                    client: Some(client.clone()),
                    user: user.cloned(),
                    room: None,
                    activity: Activity::Received { event: event.cloned(), payload: payload.cloned(), outcome, took },
                });
            }
        }
        if watching.shown.iter().any(|target| target.covers_event(client, user, is_in)) {
            lines::received(origin, event, outcome, took);
        }
    }

    /// A message was queued for so many clients of this node, and not for others.
    pub(crate) fn sent(&self, message: &Sending<'_>, event: &OutboundEvent, counts: (usize, usize)) {
        if self.sent_unlogged(message, event, counts) {
            lines::sent(message, event, counts);
        }
    }

    /// Like [`Self::sent`], for callers that hold a lock: returns whether to log it, by [`Self::log_sent`].
    pub(crate) fn sent_unlogged(
        &self,
        message: &Sending<'_>,
        event: &OutboundEvent,
        (queued, failed): (usize, usize),
    ) -> bool {
        let watching = self.watching();
        for entry in watching.followers.iter().filter(|entry| entry.namespace == *message.namespace) {
            if entry.target.covers_message(message) {
                let activity = Activity::Sent {
                    to: message.to,
                    except: message.except.cloned(),
                    event: event.name.clone(),
                    payload: event.payload.clone(),
                    queued,
                    failed,
                };
                entry.queue.push(self.item(message, activity));
            }
        }
        watching.shown.iter().any(|target| target.covers_message(message))
    }

    pub(crate) fn log_sent(message: &Sending<'_>, event: &OutboundEvent, counts: (usize, usize)) {
        lines::sent(message, event, counts);
    }

    /// A client was asked for an acknowledgement.
    pub(crate) fn ack_requested(
        &self,
        message: &Sending<'_>,
        event: &OutboundEvent,
        (answer, outcome, took): (Option<&Payload>, &'static str, Duration),
    ) {
        let watching = self.watching();
        for entry in watching.followers.iter().filter(|entry| entry.namespace == *message.namespace) {
            if entry.target.covers_message(message) {
                let activity = Activity::AckRequested {
                    event: event.name.clone(),
                    payload: event.payload.clone(),
                    answer: answer.cloned(),
                    outcome,
                    took,
                };
                entry.queue.push(self.item(message, activity));
            }
        }
        if watching.shown.iter().any(|target| target.covers_message(message)) {
            lines::ack_requested(message, event, outcome, took);
        }
    }

    /// A client connected, disconnected, joined or left.
    pub(crate) fn reported(&self, Reported { namespace, client, room, activity }: &Reported<'_>) {
        let watching = self.watching();
        for entry in watching.followers.iter().filter(|entry| entry.namespace == **namespace) {
            let user = entry.note(client, activity);
            let is_covered = match &entry.target {
                FollowTarget::Room(followed) => *room == Some(followed),
                target => target.covers_event(client, user.as_ref(), |_| false),
            };
            if is_covered {
                entry.queue.push(Followed {
                    at: self.now(),
                    namespace: (*namespace).clone(),
                    client: Some((*client).clone()),
                    user,
                    room: room.cloned(),
                    activity: activity.clone(),
                });
            }
        }
    }

    /// Messages of other nodes may have been missed.
    pub(crate) fn gap(&self) {
        for entry in &self.watching().followers {
            entry.queue.push(Followed {
                at: self.now(),
                namespace: entry.namespace.clone(),
                client: None,
                user: None,
                room: None,
                activity: Activity::Gap,
            });
        }
    }

    fn item(&self, message: &Sending<'_>, activity: Activity) -> Followed {
        Followed {
            at: self.now(),
            namespace: message.namespace.clone(),
            client: message.client.cloned(),
            user: message.user.cloned(),
            room: message.room.cloned(),
            activity,
        }
    }
}
