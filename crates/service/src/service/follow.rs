//! Following rooms, users and clients live, and showing events in the log.

use std::sync::Arc;

use roomwire_core::{Error, RoomId};

use super::WebSocketService;
use crate::{Client, FollowTarget, Follower, backend::Deadline, follow::Subscription, limits, task};

impl WebSocketService {
    /// Follows a room, a user, a client or everything in this handle's namespace, as it happens: events with their
    /// outcome, messages, joins and leaves. Items begin when this returns, and end when the stream is dropped.
    ///
    /// At most 64 followers are active on one node. None of them slows the service down: a slow one
    /// [misses](crate::Activity::Missed) items.
    ///
    /// # What is seen
    ///
    /// | target | messages that any node sends | on this node only |
    /// |---|---|---|
    /// | room | to the room, also if this node has no member: the node subscribes to it | events of its members, joins, leaves |
    /// | user | to the user; and all others that reach a client of the user on this node | events, connects, joins, leaves and disconnects of its clients |
    /// | client | all that reach the client, if it is connected to this node; otherwise only those of this node to the client | its events, connect, joins, leaves and disconnect |
    /// | all | to all clients, to users, to rooms with a member or a follower on this node, to clients of this node | all events, connects, joins, leaves, disconnects, and what its handlers send |
    ///
    /// Each message is one item, whatever the number of recipients; a request for an acknowledgement is one for each
    /// client, on the node that the client is connected to. Followers of the client, its user and all see it, those of a
    /// room do not, also if it was sent to the room. Events of a room are those of clients that are
    /// members when the event has been handled: its `leave` is not among them. Connects, joins, leaves and disconnects
    /// are those that this node reports as [`events`](Self::events), usually of its own clients. To see what a client or
    /// a user does on another node, follow it there: [`client`](Self::client) and [`user_sessions`](Self::user_sessions)
    /// name the nodes.
    ///
    /// Delivery between nodes is at most once: after a gap of the backplane there is an [`Activity::Gap`](crate::Activity::Gap).
    /// The payload of `authenticate` is left out if the service has an authenticator.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` if there are 64 followers, or the name of the room is longer than `limits.roomName`;
    /// `STATE_UNAVAILABLE` if the node cannot subscribe to messages of other nodes; `SHUTTING_DOWN`.
    ///
    /// # Cancellation
    /// Dropping the future ends the follower that has begun.
    ///
    /// # Example
    /// ```
    /// use roomwire_service::{Activity, FollowTarget, RoomId, WebSocketConfig, WebSocketService};
    /// use roomwire_state_memory::MemoryState;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = WebSocketService::builder(WebSocketConfig::default()).state(MemoryState::new()).build().await?;
    /// let mut lobby = service.follow(FollowTarget::Room(RoomId::new("lobby")?)).await?;
    /// service.broadcast_to_room("lobby", "announcement", &"Doors open").await?;
    ///
    /// let item = lobby.next().await.ok_or("the node has stopped")?;
    /// assert!(matches!(item.activity, Activity::Sent { event, .. } if event.as_str() == "announcement"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow(&self, target: FollowTarget) -> Result<Follower, Error> {
        let service = self.clone();
        // To the end: a dropped subscription attempt would leave the use count of the room wrong.
        task::to_the_end(async move { service.begin_follow(target).await }).await
    }

    /// Shows each event and message of these targets in the log, in and out, with its outcome and time; those of all
    /// namespaces. Replaces the targets from before: none of them shows nothing. Takes effect at once.
    ///
    /// The lines have the level debug and the target [`EVENTS_TARGET`](crate::EVENTS_TARGET), which the logger of
    /// `roomwire_axum_adapter` passes whatever `logger.level` is. With a logger of the app's own, or with `RUST_LOG`,
    /// pass `roomwire::events=debug`. They contain names and no payload. With `debug: true` or `logger.level = debug`,
    /// everything is shown from the start.
    ///
    /// Only what this node receives and sends is shown; each node has targets of its own.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` if there are more than 64 targets; then nothing changes.
    ///
    /// # Example
    /// ```
    /// # fn show(service: &roomwire_service::WebSocketService) -> Result<(), Box<dyn std::error::Error>> {
    /// use roomwire_service::{FollowTarget, RoomId, UserId};
    ///
    /// service.set_debug([FollowTarget::Room(RoomId::new("lobby")?), FollowTarget::User(UserId::new("ada")?)])?;
    /// service.set_debug([])?; // off
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_debug(&self, targets: impl IntoIterator<Item = FollowTarget>) -> Result<(), Error> {
        self.node.followers.show(targets)
    }

    /// The targets whose events are shown in the log, sorted; empty if none are.
    #[must_use]
    pub fn debug(&self) -> Vec<FollowTarget> {
        self.node.followers.shown()
    }

    async fn begin_follow(&self, target: FollowTarget) -> Result<Follower, Error> {
        self.node.lifecycle.check_running()?;
        // Again when it is added: this check only saves the subscription.
        self.node.followers.one_more()?;
        let until = self.node.backend.deadline();
        let subscription = match &target {
            FollowTarget::Room(room) => self.subscribe_to_room(room, until).await?,
            FollowTarget::All | FollowTarget::User(_) | FollowTarget::Client(_) => {
                // A node with clients in the namespace stays subscribed too.
                self.node.hear_namespace(&self.namespace, until).await?;
                Subscription::permanent()
            }
        };
        let namespace = self.namespace.clone();
        let user_of = move |client: &_| namespace.client(client).and_then(|client| client.user().cloned());
        let clients = |user: &_| self.namespace.clients_of(user).iter().map(Client::id).cloned().collect();
        let followed = (self.namespace_name().clone(), target);
        self.node.followers.add(followed, subscription, Box::new(user_of), clients)
    }

    /// Subscribes this node to a room as a member does.
    async fn subscribe_to_room(&self, room: &RoomId, until: Deadline) -> Result<Subscription, Error> {
        limits::room(&self.config().limits, room)?;
        let local = self.namespace.enter_room(&self.node.backend, room, until).await?;
        let (node, namespace) = (Arc::downgrade(&self.node), self.namespace.clone());
        Ok(Subscription::until(move || {
            let Some(node) = node.upgrade() else { return };
            let runtime = node.runtime.clone();
            runtime.spawn(async move {
                namespace.exit_room(&node.backend, &local, node.backend.deadline()).await;
            });
        }))
    }
}
