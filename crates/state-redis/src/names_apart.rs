//! No name is ever another name's key: checked with random names of separators and quoting characters.

use std::{collections::HashMap, fmt::Write, fs, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use roomwire_core::{Channel, ClientId, ClientKey, Incarnation, Namespace, NodeId, RoomId, RoomKey};

use crate::keys::{CLUSTER_PARTITIONS, Keys, client_name, room_name};

const PREFIX: &str = "roomwire";

/// The parts of random names. `roomwire:` and `m:` are parts of keys.
const PIECES: [&str; 22] = [
    "a",
    "b",
    "{",
    "}",
    "}{",
    ":",
    "/",
    ".",
    "*",
    "?",
    "[",
    "\\",
    "\"",
    "'",
    " ",
    "\u{202e}",
    "é",
    "e\u{301}",
    "0",
    "m:",
    "roomwire:",
    ",",
];

fn name(random: &mut StdRng, first: &str) -> String {
    let mut name = first.to_owned();
    for _ in 0..random.random_range(1..=4) {
        let _ = write!(name, "{}", PIECES[random.random_range(0..PIECES.len())]);
    }
    name
}

fn namespace(random: &mut StdRng) -> Namespace {
    loop {
        // Most have a comma or braces, which no namespace may have.
        if let Ok(namespace) = Namespace::new(name(random, "/")) {
            return namespace;
        }
    }
}

/// The slot of a key in Redis Cluster, by its specification: that of the hash tag in the first braces.
fn slot_by_redis(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed.as_bytes()) % 16_384
}

#[test]
fn different_rooms_clients_and_nodes_have_different_keys_in_the_slot_of_their_partition() {
    let mut random = StdRng::seed_from_u64(4);
    for partitions in [1, CLUSTER_PARTITIONS] {
        let keys = Keys::new(PREFIX, partitions);
        // The user of each key and channel.
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut note = |key: String, slot: u16, user: String| {
            assert_eq!(slot_by_redis(&key), slot, "{user} at {key:?}");
            let other = seen.entry(key).or_insert_with(|| user.clone());
            assert_eq!(*other, user);
        };
        for _ in 0..20_000 {
            let namespace = namespace(&mut random);
            let id = name(&mut random, "");
            let room = RoomKey::new(namespace.clone(), RoomId::new(&id).expect("valid"));
            let client = ClientKey::new(namespace.clone(), ClientId::new(&id).expect("valid"));
            let node = Incarnation::begin(NodeId::new(&id).expect("valid")).process();
            let slot = keys.slot(keys.of_room(&room));
            note(keys.members(&room), slot, format!("members of {room:?}"));
            for channel in [Channel::Room(room), Channel::Namespace(namespace.clone()), Channel::Node(node)] {
                let (key, slot) = keys.channel(&channel);
                note(key, slot, format!("{channel:?}"));
            }
            let partition = keys.of_client(&client);
            for (kind, key) in
                [("clients", keys.clients(partition, &namespace)), ("rooms", keys.rooms(partition, &namespace))]
            {
                note(key, keys.slot(partition), format!("{kind} of {namespace:?} in {partition:?}"));
            }
        }
    }
}

#[test]
fn different_pairs_of_namespace_and_name_have_different_names_in_scripts() {
    let mut random = StdRng::seed_from_u64(5);
    let mut seen = HashMap::new();
    for _ in 0..50_000 {
        let (namespace, id) = (namespace(&mut random), name(&mut random, ""));
        let room = RoomKey::new(namespace.clone(), RoomId::new(&id).expect("valid"));
        let client = ClientKey::new(namespace.clone(), ClientId::new(&id).expect("valid"));
        assert_eq!(room_name(&room), client_name(&client));
        let pair = (namespace, id);
        let other = seen.entry(room_name(&room)).or_insert_with(|| pair.clone());
        assert_eq!(*other, pair);
    }
}

/// Scripts name a key by its type and subject. A subject may contain colons; no type does, so keys of two types never
/// collide.
#[test]
fn every_kind_of_key_that_a_script_names_is_one_word() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut kinds = 0;
    for entry in fs::read_dir(scripts).expect("scripts") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a script");
        for named in text.split("key('").skip(1) {
            let kind = named.split('\'').next().expect("a kind");
            let is_word = !kind.is_empty() && kind.chars().all(|character| character.is_ascii_lowercase());
            assert!(is_word, "{kind:?} in {}", path.display());
            kinds += 1;
        }
        // A key that exists once in a partition has no subject.
        for named in text.split("P .. ':").skip(1) {
            let kind = named.split('\'').next().expect("a kind");
            assert!(!kind.contains(':'), "{kind:?} in {}", path.display());
        }
    }
    assert!(kinds > 20, "{kinds}");
}
