//! Memberships: joining, leaving and reading.

use roomwire_core::{
    ClientId, ClientKey, Incarnation, JoinOutcome, Member, Page, PageRequest, RoomKey, RoomUid, StateError,
};

use crate::{
    cached_rooms::Settings,
    cursor::{Found, Pager},
    keys::{Partition, room_name},
    pending_cleanup::Leftover,
    refusal::damaged,
    reply::Reply,
    router::{Repeat, error_about},
    script,
    state::{Shared, args},
};

/// The incarnation that loses memberships, the incarnation that ends them, and which half of the operation a script
/// performs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expulsion<'a> {
    /// Must hold a lease. `None` if no lease is required.
    pub(crate) by: Option<&'a Incarnation>,
    pub(crate) owner: &'a Incarnation,
    pub(crate) part: &'static str,
}

impl Shared {
    pub(crate) async fn join(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<JoinOutcome, StateError> {
        if client.namespace != room.namespace {
            return Err(StateError::ClientNotFound);
        }
        let (record, place) = (self.router.keys.of_client(client), self.router.keys.of_room(room));
        let _changes = self.clients.lock([client]).await;
        self.clear_before_join(incarnation, &client.client, room).await?;
        if record == place {
            let reply = self.join_in(place, "both", incarnation, client, room).await?;
            return self.joined(room, reply);
        }
        let claim = self.join_in(record, "claim", incarnation, client, room);
        let admit = self.join_in(place, "admit", incarnation, client, room);
        // The caller handles unknown outcomes: it records that the client left.
        let is_refused = |error: &StateError| !matches!(error, StateError::Unavailable(_));
        let membership = (client.client.clone(), room.clone());
        match tokio::join!(claim, admit) {
            (Ok(_), Ok(reply)) => self.joined(room, reply),
            (Ok(_), Err(error)) => {
                if is_refused(&error) {
                    // A client that the room refuses is no member, whatever its record contained.
                    let unclaim = Leftover::new(record, incarnation.clone(), "unclaim", vec![membership]);
                    for noted in self.note_leftovers(std::iter::once(unclaim)) {
                        self.clear(None, &noted).await;
                    }
                }
                Err(error)
            }
            (Err(error), Ok(_)) => {
                if is_refused(&error) {
                    // A client of another incarnation is no member under this one.
                    self.expel(None, incarnation, vec![membership]).await.ok();
                }
                Err(error)
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    async fn join_in(
        &self,
        partition: Partition,
        part: &'static str,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<Reply, StateError> {
        let uid = RoomUid::random().as_u64();
        let version = self.rooms.version(room);
        let confirmed = self.writes.count(incarnation, partition);
        let grace = self.router.grace();
        let args = args![incarnation, part, room.namespace, client.client, room.room, uid, version, confirmed, grace];
        self.write(&script::JOIN, partition, incarnation, &args, Repeat::Always).await
    }

    fn joined(&self, room: &RoomKey, mut reply: Reply) -> Result<JoinOutcome, StateError> {
        let uid = RoomUid::from_u64(reply.next()?);
        let (newly, created): (u8, u8) = (reply.next()?, reply.next()?);
        let version = reply.next::<Option<u64>>()?.unwrap_or_default();
        if let Some(settings) = Settings::read(version, uid, reply.next_value()) {
            self.rooms.note(room, settings);
        }
        Ok(JoinOutcome { uid, newly_joined: newly == 1, created: created == 1 })
    }

    pub(crate) async fn leave(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<bool, StateError> {
        let (record, place) = (self.router.keys.of_client(client), self.router.keys.of_room(room));
        let pair = [(client.client.clone(), room.clone())];
        // A call without memberships also fails for an incarnation without a lease.
        let pairs = if client.namespace == room.namespace { pair.as_slice() } else { &[] };
        let expulsion = |part| Expulsion { by: Some(incarnation), owner: incarnation, part };
        let _changes = self.clients.lock([client]).await;
        if record == place {
            return Ok(self.end_memberships(expulsion("both"), place, pairs).await?.contains(&true));
        }
        let expel = self.end_memberships(expulsion("expel"), place, pairs);
        let unclaim = self.end_memberships(expulsion("unclaim"), record, pairs);
        let (expelled, unclaimed) = tokio::join!(expel, unclaim);
        let was = expelled?.contains(&true);
        unclaimed.map(|_| was)
    }

    /// Ends memberships, as far as they are stored in one partition. Returns for each whether it existed.
    pub(crate) async fn end_memberships(
        &self,
        expulsion: Expulsion<'_>,
        partition: Partition,
        memberships: &[(ClientId, RoomKey)],
    ) -> Result<Vec<bool>, StateError> {
        let Expulsion { by, owner, part } = expulsion;
        let mut args = args![by.map_or_else(String::new, ToString::to_string), owner, part];
        for (client, room) in memberships {
            args.extend(args![room.namespace, client, room.room]);
        }
        // A second response would report no memberships.
        let repeat = if part == "unclaim" { Repeat::Always } else { Repeat::Never };
        self.write(&script::LEAVE, partition, owner, &args, repeat).await?.next()
    }

    pub(crate) async fn member_page(&self, room: &RoomKey, wanted: &PageRequest) -> Result<Page<Member>, StateError> {
        let partition = self.router.keys.of_room(room);
        let name = room_name(room);
        let mut pager = Pager::new(wanted, 1);
        while let Some(step) = pager.step() {
            let args = args!["members", step.scan, step.count, name];
            let mut reply = self.run(&script::SCAN, partition, &args, Repeat::Always).await?;
            let next = reply.next()?;
            let members: Vec<(String, String)> = reply.next_readable()?;
            let items = members.into_iter().filter_map(|(client, incarnation)| {
                let member = Member { client: ClientId::new(&client).ok()?, incarnation: incarnation.parse().ok()? };
                Some((client, member))
            });
            pager.take(Found { next, items: items.collect() });
        }
        Ok(pager.page())
    }

    pub(crate) async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        self.count(self.router.keys.of_room(room), "HLEN", self.router.keys.members(room)).await
    }

    /// Sends a command about one key that answers with a number. A key of another type counts as missing, as in
    /// scripts.
    pub(crate) async fn count(
        &self,
        partition: Partition,
        command: &'static str,
        key: String,
    ) -> Result<u64, StateError> {
        let slot = self.router.keys.slot(partition);
        let mut question = redis::cmd(command);
        question.arg(&key);
        let answer = self.router.call(slot, slot.into(), &question, Repeat::Always, self.router.deadline()).await;
        let value = match answer.map_err(|failure| error_about(command, Some(&key), &failure)) {
            Err(StateError::Refused(refusal)) if refusal.code == "WRONGTYPE" => return Ok(0),
            answer => answer?,
        };
        redis::from_redis_value(value).map_err(|error| StateError::Refused(damaged(command, error.to_string())))
    }
}
