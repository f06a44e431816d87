//! A handle to a connected client.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, MutexGuard, RwLock};
use roomwire_core::{
    ClientId, ClientKey, ClientTransport, DisconnectReason, Identity, Incarnation, LiveClient, Metadata, NameError,
    Namespace, NewClient, Payload, RoomId, RoomKey, RoomUid, Timestamp, ToClientId, UserId,
};

use super::{
    activity::Activity,
    arrivals::Arrival,
    client_id_claims::{ClientIdClaim, WeakClaim},
};

/// A client that is connected to this node.
///
/// Cheap to clone. It remains valid after the client has disconnected; operations on it then return `CLIENT_NOT_FOUND`.
/// Clients of other nodes are addressed by their [`ClientId`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    key: ClientKey,
    transport: Arc<dyn ClientTransport>,
    user: Option<UserId>,
    /// Its identity, replaced when it authenticates again.
    identity: RwLock<Arc<Identity>>,
    handshake: Payload,
    connected_at: Timestamp,
    activity: Activity,
    reason: OnceLock<DisconnectReason>,
    known: Mutex<Known>,
    /// The claim of its id, which ends with this session.
    claim: WeakClaim,
    /// Incarnation of the first registration, and the restore count at that time.
    registered: (Incarnation, u64),
    /// Locked by changes of the client's memberships, from before the store call until this node's memory agrees with
    /// the answer. Counts these changes.
    membership: tokio::sync::Mutex<u64>,
}

/// The credentials a client presented, and its connection. Only this node knows them.
pub(crate) struct ClientInit {
    pub(crate) auth: Payload,
    pub(crate) identity: Arc<Identity>,
    pub(crate) transport: Arc<dyn ClientTransport>,
}

/// This node's knowledge of a client's memberships.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) rooms: Vec<Membership>,
    pub(crate) metadata: Metadata,
    pub(crate) gone: bool,
    /// Whether its `ClientConnected` was reported. False while it waits to be restored after its node was taken for
    /// lost.
    pub(crate) told: bool,
    /// The rooms it was in when it disconnected.
    pub(crate) left: Vec<RoomId>,
    /// The claim of its id, which [`Node::deregister`](crate::node::Node::deregister) takes over.
    pub(crate) claim: Option<ClientIdClaim>,
    /// Whether the store may have other metadata.
    pub(crate) metadata_is_in_doubt: bool,
    /// Until it is activated.
    pub(crate) arrival: Option<Arrival>,
}

/// A membership as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) room: RoomId,
    pub(crate) uid: RoomUid,
    /// Whether the last report about it is its `Joined`. False while it waits to be restored after its node was taken
    /// for lost: then the last report is its `Left`.
    pub(crate) told: bool,
    /// The number of gaps of the backplane when the store last had the membership. After further gaps, a membership
    /// that is missing in the store may mean that the room was deleted and that this node missed the message.
    pub(crate) gaps: u64,
    /// Whether the store may have a membership in a later incarnation of the room instead: it was called to join again,
    /// and the answer was lost.
    pub(crate) is_in_doubt: bool,
}

impl Known {
    /// Whether the client is a member of the room.
    pub(crate) fn is_in(&self, room: &RoomId) -> bool {
        self.rooms.iter().any(|membership| membership.room == *room)
    }

    /// Removes a room. `None` if the client was no member.
    pub(crate) fn leave(&mut self, room: &RoomId) -> Option<Membership> {
        let at = self.rooms.iter().position(|membership| membership.room == *room)?;
        Some(self.rooms.swap_remove(at))
    }
}

impl Client {
    pub(crate) fn new(
        new: &NewClient,
        init: ClientInit,
        registered: (Incarnation, u64),
        (claim, arrival): (ClientIdClaim, Arrival),
    ) -> Self {
        let weak = claim.downgrade();
        let known =
            Known { metadata: new.metadata.clone(), claim: Some(claim), arrival: Some(arrival), ..Known::default() };
        Self(Arc::new(Inner {
            key: new.key.clone(),
            transport: init.transport,
            user: new.user.clone(),
            identity: RwLock::new(init.identity),
            handshake: init.auth,
            connected_at: new.connected_at,
            activity: Activity::new(new.connected_at),
            reason: OnceLock::new(),
            known: Mutex::new(known),
            claim: weak,
            registered,
            membership: tokio::sync::Mutex::default(),
        }))
    }

    /// The id that the client itself sees as `socket.id`.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.0.key.client
    }

    /// The namespace it is connected to.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0.key.namespace
    }

    /// The authenticated user.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.0.user.as_ref()
    }

    /// The identity from the last authentication, with its claims. A client may authenticate again while it is
    /// connected; its user stays the same.
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

    /// The handshake's auth payload (`auth` in JavaScript).
    #[must_use]
    pub fn handshake(&self) -> &Payload {
        &self.0.handshake
    }

    /// When it connected.
    #[must_use]
    pub fn connected_at(&self) -> Timestamp {
        self.0.connected_at
    }

    /// The rooms it is a member of, sorted; none after it has disconnected.
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomId> {
        let mut rooms: Vec<RoomId> = self.known().rooms.iter().map(|membership| membership.room.clone()).collect();
        rooms.sort_unstable();
        rooms
    }

    /// Whether it is a member of this room. Makes no store call.
    #[must_use]
    pub fn is_in(&self, room: &RoomId) -> bool {
        self.known().is_in(room)
    }

    /// The application's metadata of the client; change it with
    /// [`set_client_metadata`](crate::WebSocketService::set_client_metadata).
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.known().metadata.clone()
    }

    /// Records whether the store may have other metadata. Returns whether this is a change.
    pub(crate) fn doubt_metadata(&self, is_in_doubt: bool) -> bool {
        std::mem::replace(&mut self.known().metadata_is_in_doubt, is_in_doubt) != is_in_doubt
    }

    /// Whether it is still connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.known().gone
    }

    /// Incarnation of the first registration, and the restore count at that time.
    pub(crate) fn registered(&self) -> &(Incarnation, u64) {
        &self.0.registered
    }

    /// Its membership in a room, as this node knows it.
    pub(crate) fn membership(&self, room: &RoomId) -> Option<Membership> {
        self.known().rooms.iter().find(|membership| membership.room == *room).cloned()
    }

    /// Records which incarnation its room has.
    pub(crate) fn set_room_uid(&self, room: &RoomId, uid: RoomUid) {
        if let Some(membership) = self.known().rooms.iter_mut().find(|membership| membership.room == *room) {
            (membership.uid, membership.is_in_doubt) = (uid, false);
        }
    }

    /// Records that the store may have a membership in a later incarnation of the room.
    pub(crate) fn doubt_membership(&self, room: &RoomId) {
        if let Some(membership) = self.known().rooms.iter_mut().find(|membership| membership.room == *room) {
            membership.is_in_doubt = true;
        }
    }

    /// Whether it waits to be restored after its node was taken for lost.
    pub(crate) fn is_untold(&self) -> bool {
        !self.known().told
    }

    /// Removes its membership in this incarnation of a room, if there is one.
    pub(crate) fn leave_incarnation(&self, room: &RoomId, uid: RoomUid) -> Option<Membership> {
        let mut known = self.known();
        let is_in = known.rooms.iter().any(|membership| membership.room == *room && membership.uid == uid);
        if is_in { known.leave(room) } else { None }
    }

    /// The rooms it was in when it disconnected; none before.
    pub(crate) fn left_rooms(&self) -> Vec<RoomId> {
        self.known().left.clone()
    }

    pub(crate) fn key(&self) -> &ClientKey {
        &self.0.key
    }

    /// Its connection.
    pub(crate) fn transport(&self) -> &Arc<dyn ClientTransport> {
        &self.0.transport
    }

    pub(crate) fn room_key(&self, room: &RoomId) -> RoomKey {
        RoomKey::new(self.0.key.namespace.clone(), room.clone())
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock()
    }

    /// The claim of its id, until this session has ended. While the claim exists, the id belongs to this session and to
    /// no later one.
    pub(crate) fn claim(&self) -> Option<ClientIdClaim> {
        self.0.claim.upgrade()
    }

    pub(crate) async fn change_membership(&self) -> tokio::sync::MutexGuard<'_, u64> {
        let mut turn = self.0.membership.lock().await;
        *turn += 1;
        turn
    }

    /// Locks the memberships, unless a change is in progress. The guard contains the number of changes so far: if it is
    /// the same later, so are the memberships.
    pub(crate) fn try_keep_membership(&self) -> Option<tokio::sync::MutexGuard<'_, u64>> {
        self.0.membership.try_lock().ok()
    }

    /// Records why the client is being disconnected; the first reason wins.
    pub(crate) fn note_reason(&self, reason: DisconnectReason) {
        self.0.reason.get_or_init(|| reason);
    }

    /// The recorded reason, or this one.
    pub(crate) fn reason_or(&self, reason: DisconnectReason) -> DisconnectReason {
        *self.0.reason.get_or_init(|| reason)
    }

    /// Whether it is disconnecting or disconnected.
    pub(crate) fn is_ending(&self) -> bool {
        self.0.reason.get().is_some()
    }

    /// When it was active.
    pub(crate) fn activity(&self) -> &Activity {
        &self.0.activity
    }

    /// The last activity, if the store does not know it yet.
    pub(crate) fn take_activity(&self) -> Option<(ClientKey, Timestamp)> {
        Some((self.0.key.clone(), self.0.activity.take()?))
    }

    /// What a store needs to restore this client, and what is to be reported afterwards. `None` if it has disconnected.
    /// From now on its connect and its joins count as reported.
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

    /// Marks it as reported to be connected. Returns false if it was, or has disconnected.
    pub(crate) fn mark_announced(&self) -> bool {
        let mut known = self.known();
        !known.gone && !std::mem::replace(&mut known.told, true)
    }

    /// Undoes [`Self::revive`]. Whatever has ended meanwhile is reported.
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

/// The reports about a client that is restored.
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
