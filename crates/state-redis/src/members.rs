//! Memberships: joining, leaving and reading.

use roomwire_core::{
    ClientId, ClientKey, Incarnation, JoinOutcome, MemberRecord, Page, PageRequest, RoomKey, RoomUid, StateError,
};

use crate::{
    cached_rooms::Settings,
    cursor::{Found, Pager},
    keys::{Partition, room_name},
    leftovers::Leftover,
    reply::{Reply, corrupt},
    router::{Repeat, state_error},
    script,
    state::{Shared, args},
};

/// Whose memberships end, who says so, and which half of that a script does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expulsion<'a> {
    /// Must hold a lease; nobody where nobody's lease counts.
    pub(crate) by: Option<&'a Incarnation>,
    pub(crate) whose: &'a Incarnation,
    pub(crate) part: &'static str,
}

impl Shared {
    pub(crate) async fn join(
        &self,
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<JoinOutcome, StateError> {
        if client.namespace != room.namespace {
            return Err(StateError::ClientNotFound);
        }
        let (record, place) = (self.router.keys.of_client(client), self.router.keys.of_room(room));
        let _changes = self.clients.hold([client]).await;
        if record == place {
            let reply = self.join_in(place, "both", life, client, room).await?;
            return self.joined(room, reply);
        }
        let claim = self.join_in(record, "claim", life, client, room);
        let admit = self.join_in(place, "admit", life, client, room);
        // Unknown outcomes are the caller's to mend: it says that the client left.
        let is_refused = |error: &StateError| !matches!(error, StateError::Unavailable(_));
        let membership = (client.client.clone(), room.clone());
        match tokio::join!(claim, admit) {
            (Ok(_), Ok(reply)) => self.joined(room, reply),
            (Ok(_), Err(error)) => {
                if is_refused(&error) {
                    // Whom a room refuses is no member, whatever the record said before.
                    let unclaim = Leftover::new(record, life.clone(), "unclaim", vec![membership]);
                    for noted in self.note_leftovers(std::iter::once(unclaim)) {
                        self.clear(None, &noted).await;
                    }
                }
                Err(error)
            }
            (Err(error), Ok(_)) => {
                if is_refused(&error) {
                    // A client that is another life's is no member under this one.
                    self.expel(None, life, vec![membership]).await.ok();
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
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<Reply, StateError> {
        let uid = RoomUid::random().as_u64();
        let version = self.rooms.version(room);
        let confirmed = self.writes.count(life, partition);
        let grace = self.router.grace();
        let args = args![life, part, room.namespace, client.client, room.room, uid, version, confirmed, grace];
        self.write(&script::JOIN, partition, life, &args, Repeat::Always).await
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
        life: &Incarnation,
        client: &ClientKey,
        room: &RoomKey,
    ) -> Result<bool, StateError> {
        let (record, place) = (self.router.keys.of_client(client), self.router.keys.of_room(room));
        let pair = [(client.client.clone(), room.clone())];
        // Also when there is nothing to end, a life without a lease is refused.
        let pairs = if client.namespace == room.namespace { pair.as_slice() } else { &[] };
        let expulsion = |part| Expulsion { by: Some(life), whose: life, part };
        let _changes = self.clients.hold([client]).await;
        if record == place {
            return Ok(self.end_memberships(expulsion("both"), place, pairs).await?.contains(&true));
        }
        let expel = self.end_memberships(expulsion("expel"), place, pairs);
        let unclaim = self.end_memberships(expulsion("unclaim"), record, pairs);
        let (expelled, unclaimed) = tokio::join!(expel, unclaim);
        let was = expelled?.contains(&true);
        unclaimed.map(|_| was)
    }

    /// Ends memberships whose part lies in one partition; says of each whether there was one.
    pub(crate) async fn end_memberships(
        &self,
        expulsion: Expulsion<'_>,
        partition: Partition,
        memberships: &[(ClientId, RoomKey)],
    ) -> Result<Vec<bool>, StateError> {
        let Expulsion { by, whose, part } = expulsion;
        let mut args = args![by.map_or_else(String::new, ToString::to_string), whose, part];
        for (client, room) in memberships {
            args.extend(args![room.namespace, client, room.room]);
        }
        // The second answer would say that nothing was there.
        let repeat = if part == "unclaim" { Repeat::Always } else { Repeat::Never };
        self.write(&script::LEAVE, partition, whose, &args, repeat).await?.next()
    }

    pub(crate) async fn member_page(
        &self,
        room: &RoomKey,
        wanted: &PageRequest,
    ) -> Result<Page<MemberRecord>, StateError> {
        let partition = self.router.keys.of_room(room);
        let name = room_name(room);
        let mut pager = Pager::new(wanted, 1);
        while let Some(step) = pager.step() {
            let args = args!["members", step.scan, step.count, name];
            let mut reply = self.run(&script::SCAN, partition, &args, Repeat::Always).await?;
            let next = reply.next()?;
            let members: Vec<(String, Option<String>)> = reply.next()?;
            let items = members.into_iter().filter_map(|(client, life)| Some((client, life?)));
            let items = items.map(|(client, life)| Ok((client.clone(), member(&client, &life)?)));
            pager.take(Found { next, items: items.collect::<Result<_, StateError>>()? });
        }
        Ok(pager.page())
    }

    pub(crate) async fn member_count(&self, room: &RoomKey) -> Result<u64, StateError> {
        let mut command = redis::cmd("HLEN");
        command.arg(self.router.keys.members(room));
        self.count(self.router.keys.of_room(room), &command).await
    }

    /// Sends a command that answers with a number.
    pub(crate) async fn count(&self, partition: Partition, command: &redis::Cmd) -> Result<u64, StateError> {
        let slot = self.router.keys.slot(partition);
        let answer = self.router.call(slot, slot.into(), command, Repeat::Always, self.router.deadline()).await;
        let value = answer.map_err(|failure| state_error("count", failure))?;
        redis::from_redis_value(value).map_err(|error| StateError::unavailable(error.to_string()))
    }
}

/// A member by its client's id and its life.
pub(crate) fn member(client: &str, life: &str) -> Result<MemberRecord, StateError> {
    let life: Incarnation = life.parse().map_err(|_| corrupt("the name of a life", life))?;
    let client = ClientId::new(client).map_err(|_| corrupt("the id of a client", client))?;
    Ok(MemberRecord { client, node: life.node().clone() })
}
