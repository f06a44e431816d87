//! Memberships and clients that a cleanup or a deletion removed, for the nodes that have not noticed yet.

use roomwire_core::{ClientKey, Incarnation, RemovedByOthers, RoomKey, RoomUid, StateError};

use crate::{
    keys::{client_name, room_name},
    router::Repeat,
    script,
    state::{Shared, args},
};

impl Shared {
    /// Reads the partition of the client, and those of the rooms.
    pub(crate) async fn removed_by_others(
        &self,
        incarnation: &Incarnation,
        client: &ClientKey,
        rooms: &[(RoomKey, RoomUid)],
    ) -> Result<RemovedByOthers, StateError> {
        let mut removed = RemovedByOthers::default();
        let mut places = self.by_partition(rooms, |(room, _)| self.router.keys.of_room(room));
        let home = self.router.keys.of_client(client);
        places.entry(home).or_default();
        for (partition, rooms) in places {
            let mut args = args!["removed", incarnation, client_name(client)];
            for (room, uid) in &rooms {
                args.extend(args![client.client, room_name(room), uid.as_u64()]);
            }
            let mut reply = self.run(&script::READ, partition, &args, Repeat::Always).await?;
            let client_is_removed: bool = reply.next()?;
            let flags: Vec<bool> = reply.next()?;
            removed.client |= client_is_removed && partition == home;
            let found = rooms.iter().zip(flags).filter(|(_, is_removed)| *is_removed);
            removed.rooms.extend(found.map(|((room, _), _)| room.clone()));
        }
        Ok(removed)
    }
}
