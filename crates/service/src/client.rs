//! A handle to a connected client.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard, RwLock};
use roomwire_core::{
    ClientId, ClientKey, DisconnectReason, Identity, Incarnation, LiveClient, Metadata, NameError, Namespace,
    NewClient, Payload, RoomId, RoomKey, RoomUid, Timestamp, ToClientId, UserId,
};

use crate::{
    membership::{Account, Present, Stay},
    service::Introduction,
};

/// A client that is connected to this node.
///
/// Cheap to clone; it stays valid after the client is gone, and operations on it then answer
/// `CLIENT_NOT_FOUND`. Clients of other nodes are reached by their [`ClientId`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    key: ClientKey,
    user: Option<UserId>,
    /// What proved who it is; replaced when it shows something newer.
    identity: RwLock<Arc<Identity>>,
    handshake: Payload,
    connected_at: Timestamp,
    /// The last activity in milliseconds, shifted left by one; the lowest bit says that it was not told to the store.
    activity: AtomicU64,
    reason: OnceLock<DisconnectReason>,
    known: Mutex<Known>,
    stay: Stay,
    /// The life under which the store was told of it first, and how often clients had been put back all together.
    registered: (Incarnation, u64),
    /// Held by whoever changes the client's memberships, from before the store is asked until this
    /// node's memory agrees with the answer. Counts how often that was.
    membership: tokio::sync::Mutex<u64>,
}

/// What this node knows about a client's place.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) rooms: Vec<Membership>,
    pub(crate) metadata: Metadata,
    pub(crate) gone: bool,
    /// Whether it is known to listeners as connected. Not while it waits to be put back after its node was taken for lost.
    pub(crate) told: bool,
    /// Whether a room was deleted while it joined; the end of that membership may not be reported yet.
    pub(crate) left_by_deletion: bool,
    /// The rooms it was in when it went.
    pub(crate) left: Vec<RoomId>,
    /// Until the store was told that it is gone.
    pub(crate) present: Option<Present>,
}

/// A membership as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) room: RoomId,
    pub(crate) uid: RoomUid,
    /// Whether the last that listeners heard of it is its `Joined`. Not while it waits to be put back after its node
    /// was taken for lost: then they heard its `Left`.
    pub(crate) told: bool,
    /// How many gaps the backplane had when the store was last known to hold it. After more of them, that the store
    /// does not hold it may mean that the room was deleted, and that this node did not hear of it.
    pub(crate) gaps: u64,
}

impl Known {
    /// Whether the client is a member of the room.
    pub(crate) fn is_in(&self, room: &RoomId) -> bool {
        self.rooms.iter().any(|membership| membership.room == *room)
    }

    /// Forgets a room; none when the client was no member.
    pub(crate) fn leave(&mut self, room: &RoomId) -> Option<Membership> {
        let at = self.rooms.iter().position(|membership| membership.room == *room)?;
        Some(self.rooms.swap_remove(at))
    }
}

impl Client {
    pub(crate) fn new(
        new: &NewClient,
        introduction: Introduction,
        registered: (Incarnation, u64),
        present: Present,
    ) -> Self {
        let known = Known { metadata: new.metadata.clone(), present: Some(present), ..Known::default() };
        Self(Arc::new(Inner {
            key: new.key.clone(),
            user: new.user.clone(),
            identity: RwLock::new(introduction.identity),
            handshake: introduction.auth,
            connected_at: new.connected_at,
            activity: AtomicU64::new(new.connected_at.as_millis() << 1),
            reason: OnceLock::new(),
            known: Mutex::new(known),
            stay: introduction.stay,
            registered,
            membership: tokio::sync::Mutex::default(),
        }))
    }

    /// What the client itself sees as `socket.id`.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.0.key.client
    }

    /// The namespace it is connected to.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0.key.namespace
    }

    /// Who it is, when authentication said so.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.0.user.as_ref()
    }

    /// What proved who it is, with its claims. A client may show something newer while it is connected; its user stays
    /// the same.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.0.identity.read().clone()
    }

    /// Different from that of any other client of this process, as long as this handle lives.
    pub(crate) fn serial(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn set_identity(&self, identity: Arc<Identity>) {
        *self.0.identity.write() = identity;
    }

    /// What the client sent with its handshake (`auth` in JavaScript).
    #[must_use]
    pub fn handshake(&self) -> &Payload {
        &self.0.handshake
    }

    /// When it connected.
    #[must_use]
    pub fn connected_at(&self) -> Timestamp {
        self.0.connected_at
    }

    /// The rooms it is a member of, sorted; none once it is gone.
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomId> {
        let mut rooms: Vec<RoomId> = self.known().rooms.iter().map(|membership| membership.room.clone()).collect();
        rooms.sort_unstable();
        rooms
    }

    /// Whether it is a member of this room. Asks no store.
    #[must_use]
    pub fn is_in(&self, room: &RoomId) -> bool {
        self.known().is_in(room)
    }

    /// What the application noted about it; change it with
    /// [`set_client_metadata`](crate::WebSocketService::set_client_metadata).
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.known().metadata.clone()
    }

    /// Whether it is still connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.known().gone
    }

    /// The life under which the store was told of it first, and how often clients had been put back all together.
    pub(crate) fn registered(&self) -> &(Incarnation, u64) {
        &self.0.registered
    }

    /// The rooms it was in when it went; none before.
    pub(crate) fn left_rooms(&self) -> Vec<RoomId> {
        self.known().left.clone()
    }

    pub(crate) fn key(&self) -> &ClientKey {
        &self.0.key
    }

    pub(crate) fn room_key(&self, room: &RoomId) -> RoomKey {
        RoomKey::new(self.0.key.namespace.clone(), room.clone())
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock()
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        self.0.stay.account()
    }

    /// Nobody waits any more for what is still done for it.
    pub(crate) fn hang_up(&self) {
        self.0.stay.hang_up();
    }

    pub(crate) fn has_hung_up(&self) -> bool {
        self.0.stay.has_hung_up()
    }

    pub(crate) fn has_left_rooms(&self) {
        self.0.stay.leave();
    }

    pub(crate) async fn change_membership(&self) -> tokio::sync::MutexGuard<'_, u64> {
        let mut turn = self.0.membership.lock().await;
        *turn += 1;
        turn
    }

    /// As [`Self::change_membership`], unless somebody else holds it.
    pub(crate) fn try_change_membership(&self) -> Option<tokio::sync::MutexGuard<'_, u64>> {
        let mut turn = self.0.membership.try_lock().ok()?;
        *turn += 1;
        Some(turn)
    }

    /// Keeps the memberships as they are, unless somebody is changing them. How often they may have changed before is
    /// in the guard: as long as it is the same, they are the same.
    pub(crate) fn try_keep_membership(&self) -> Option<tokio::sync::MutexGuard<'_, u64>> {
        self.0.membership.try_lock().ok()
    }

    /// Remembers why the client is being disconnected; the first reason stays.
    pub(crate) fn note_reason(&self, reason: DisconnectReason) {
        self.0.reason.get_or_init(|| reason);
    }

    /// The reason that was remembered, else this one.
    pub(crate) fn reason_or(&self, reason: DisconnectReason) -> DisconnectReason {
        *self.0.reason.get_or_init(|| reason)
    }

    /// Notes that the client did something.
    pub(crate) fn active(&self, now: Timestamp) {
        self.0.activity.store(now.as_millis() << 1 | 1, Ordering::Relaxed);
    }

    /// The last activity, when the store was not told of it yet.
    pub(crate) fn take_activity(&self) -> Option<(ClientKey, Timestamp)> {
        let activity = self.0.activity.fetch_and(!1, Ordering::Relaxed);
        (activity & 1 == 1).then(|| (self.0.key.clone(), Timestamp::from_millis(activity >> 1)))
    }

    /// What a store must know to put this client back, and what listeners are to hear when that is done; none when it
    /// is gone. From now on the client, and its leaving, count as told.
    pub(crate) fn revive(&self) -> Option<(LiveClient, News)> {
        let mut known = self.known();
        if known.gone {
            return None;
        }
        let mut news = News { connected: !std::mem::replace(&mut known.told, true), joined: Vec::new() };
        for membership in known.rooms.iter_mut().filter(|membership| !membership.told) {
            membership.told = true;
            news.joined.push(membership.room.clone());
        }
        let client = NewClient {
            key: self.0.key.clone(),
            user: self.0.user.clone(),
            metadata: known.metadata.clone(),
            connected_at: self.0.connected_at,
        };
        let rooms = known.rooms.iter().map(|known| (self.room_key(&known.room), known.uid)).collect();
        Some((LiveClient { client, rooms }, news))
    }

    /// Takes [`Self::revive`] back; what is left of its news has come to an end meanwhile, which is told.
    pub(crate) fn not_revived(&self, mut news: News) -> News {
        let mut known = self.known();
        if news.connected && !known.gone {
            (news.connected, known.told) = (false, false);
        }
        news.joined.retain(|room| match known.rooms.iter_mut().find(|membership| membership.room == *room) {
            Some(membership) => {
                membership.told = false;
                false
            }
            None => true,
        });
        news
    }
}

/// What is to be heard of a client that is put back.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Whether it connected.
    pub(crate) connected: bool,
    /// The rooms it joined.
    pub(crate) joined: Vec<RoomId>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", self.id()).field("namespace", self.namespace()).finish_non_exhaustive()
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Client {}

impl ToClientId for &Client {
    fn to_client_id(self) -> Result<ClientId, NameError> {
        Ok(self.id().clone())
    }
}
