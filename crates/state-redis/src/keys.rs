//! All keys and channels of this backend, and their partitions.

use roomwire_core::{Channel, ClientKey, RoomKey};

/// The number of slots of a Redis Cluster.
const SLOTS: u16 = 16_384;

/// The number of partitions on a Redis Cluster. Every node of a service must agree, so it is not configurable.
pub(crate) const CLUSTER_PARTITIONS: u16 = 64;

/// A part of the state with all its keys in one slot, so that one script can access them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(u16);

impl Partition {
    /// The partition of leases.
    pub(crate) const LEASES: Self = Self(0);

    pub(crate) fn number(self) -> usize {
        self.0.into()
    }
}

/// Names of keys and channels with one prefix.
///
/// A partition's names begin with `{prefix:number}`. The rest of a key is in `scripts/`: scripts derive it from their
/// arguments.
#[derive(Debug)]
pub(crate) struct Keys {
    partitions: Vec<PartitionKeys>,
    /// Distinguishes the channels of numbered databases: Redis shares channels between them. Empty for database 0.
    database: String,
}

#[derive(Debug)]
struct PartitionKeys {
    /// Not a key itself.
    prefix: String,
    /// The incarnations that hold a lease.
    incarnations: String,
    slot: u16,
}

impl Keys {
    pub(crate) fn new(prefix: &str, partitions: u16) -> Self {
        let partitions = (0..partitions).map(|number| PartitionKeys::new(prefix, number)).collect();
        Self { partitions, database: String::new() }
    }

    /// The names in this numbered database.
    pub(crate) fn in_database(self, database: i64) -> Self {
        let database = if database == 0 { String::new() } else { format!("@{database}") };
        Self { database, ..self }
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)).map(Partition)
    }

    /// Whether one script can access all state.
    pub(crate) fn is_single(&self) -> bool {
        self.partitions.len() == 1
    }

    /// The two keys of every script.
    pub(crate) fn of(&self, partition: Partition) -> [&str; 2] {
        let keys = &self.partitions[partition.number()];
        [&keys.incarnations, &keys.prefix]
    }

    pub(crate) fn slot(&self, partition: Partition) -> u16 {
        self.partitions[partition.number()].slot
    }

    pub(crate) fn of_room(&self, room: &RoomKey) -> Partition {
        self.partition_of(&room_name(room))
    }

    pub(crate) fn of_client(&self, client: &ClientKey) -> Partition {
        self.partition_of(&client_name(client))
    }

    /// The set of the ids of a namespace's clients in this partition.
    pub(crate) fn clients(&self, partition: Partition, namespace: &str) -> String {
        format!("{}:cs:{namespace}", self.partitions[partition.number()].prefix)
    }

    /// The set of the ids of a user's clients in a namespace, of those with a record in this partition.
    pub(crate) fn user_clients(&self, partition: Partition, namespace: &str, user: &str) -> String {
        format!("{}:us:{namespace},{user}", self.partitions[partition.number()].prefix)
    }

    /// The set of the ids of a namespace's rooms in this partition.
    pub(crate) fn rooms(&self, partition: Partition, namespace: &str) -> String {
        format!("{}:rs:{namespace}", self.partitions[partition.number()].prefix)
    }

    /// The members of a room: client to incarnation.
    pub(crate) fn members(&self, room: &RoomKey) -> String {
        format!("{}:m:{}", self.partitions[self.of_room(room).number()].prefix, room_name(room))
    }

    /// The name of a channel, and its slot.
    pub(crate) fn channel(&self, channel: &Channel) -> (String, u16) {
        let (kind, name) = match channel {
            Channel::Room(room) => ("room", room_name(room)),
            Channel::Namespace(namespace) => ("namespace", namespace.to_string()),
            Channel::Node(node) => ("node", node.to_string()),
            Channel::Cluster => ("cluster", String::new()),
        };
        let keys = &self.partitions[self.partition_of(&name).number()];
        (format!("{}{}:{kind}:{name}", keys.prefix, self.database), keys.slot)
    }

    /// The channel on which one subscriber of this partition's server receives its own messages.
    pub(crate) fn probe(&self, partition: Partition, subscriber: &str) -> String {
        format!("{}:probe:{subscriber}", self.partitions[partition.number()].prefix)
    }

    /// A channel of each kind in this partition, which nothing else uses.
    pub(crate) fn check_channels(&self, partition: Partition) -> Vec<String> {
        let prefix = &self.partitions[partition.number()].prefix;
        ["room", "namespace", "node", "cluster", "probe"].map(|kind| format!("{prefix}:{kind}:check")).to_vec()
    }

    fn partition_of(&self, name: &str) -> Partition {
        let partitions = u16::try_from(self.partitions.len()).unwrap_or(u16::MAX);
        Partition(crc16::State::<crc16::XMODEM>::calculate(name.as_bytes()) % partitions)
    }
}

impl PartitionKeys {
    fn new(prefix: &str, number: u16) -> Self {
        let tag = format!("{prefix}:{number}");
        let slot = crc16::State::<crc16::XMODEM>::calculate(tag.as_bytes()) % SLOTS;
        let prefix = format!("{{{tag}}}");
        Self { incarnations: format!("{prefix}:incarnations"), prefix, slot }
    }
}

/// A room's name across namespaces: a namespace has no comma, so no two rooms share one.
pub(crate) fn room_name(room: &RoomKey) -> String {
    format!("{},{}", room.namespace, room.room)
}

/// A client's name across namespaces.
pub(crate) fn client_name(client: &ClientKey) -> String {
    format!("{},{}", client.namespace, client.client)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use roomwire_core::{Channel, Incarnation, Namespace, NodeId, RoomId, RoomKey};

    use super::{CLUSTER_PARTITIONS, Keys};

    fn room(namespace: &str, room: &str) -> Channel {
        let namespace = Namespace::new(namespace).expect("valid");
        Channel::Room(RoomKey::new(namespace, RoomId::new(room).expect("valid")))
    }

    #[test]
    fn a_name_in_braces_does_not_choose_the_slot() {
        let keys = Keys::new("roomwire", CLUSTER_PARTITIONS);
        let (name, slot) = keys.channel(&room("/", "a}{b"));
        assert!(name.starts_with("{roomwire:") && name.ends_with(":room:/,a}{b"), "{name}");
        assert!(keys.partitions().any(|partition| keys.slot(partition) == slot));
    }

    #[test]
    fn different_channels_have_different_names() {
        let keys = Keys::new("roomwire", 1);
        let node = Channel::Node(Incarnation::begin(NodeId::new("/,a").expect("valid")).process());
        let channels = [room("/", "a"), room("/", "/,a"), room("/a", "a"), node, Channel::Cluster];
        let names: HashSet<_> = channels.iter().map(|channel| keys.channel(channel).0).collect();
        assert_eq!(names.len(), channels.len());
    }

    #[test]
    fn the_same_channel_has_another_name_in_each_database_and_the_same_slot() {
        let channel = room("/", "a");
        let [zero, one, two] = [0, 1, 2].map(|number| Keys::new("roomwire", 1).in_database(number).channel(&channel));
        assert_eq!(zero, Keys::new("roomwire", 1).channel(&channel));
        assert!(zero.0 != one.0 && one.0 != two.0, "{zero:?} {one:?} {two:?}");
        assert!(zero.1 == one.1 && one.0.starts_with("{roomwire:0}"), "{one:?}");
    }

    #[test]
    fn partitions_spread_over_the_slots() {
        let keys = Keys::new("roomwire", CLUSTER_PARTITIONS);
        let slots: HashSet<_> = keys.partitions().map(|partition| keys.slot(partition)).collect();
        assert_eq!(slots.len(), usize::from(CLUSTER_PARTITIONS));
        for third in 0..3 {
            let range = third * super::SLOTS / 3..(third + 1) * super::SLOTS / 3;
            let here = slots.iter().filter(|slot| range.contains(slot)).count();
            assert!((12..=32).contains(&here), "{here} partitions in {range:?}");
        }
    }
}
