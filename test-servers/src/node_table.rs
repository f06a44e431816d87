//! The roles of servers in a cluster, as `nodes.conf` has them.
//!
//! Servers that find it when they start know each other at once; those that are introduced to each other take a second.

use std::{
    fmt::Write,
    hash::{BuildHasher, RandomState},
};

const SLOTS: usize = 16_384;

/// One server of a table.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) bus: u16,
    /// Whose replica it is; none for a master. Masters come first in a table.
    pub(crate) master: Option<usize>,
}

/// The table as each of the servers finds it, in their order.
pub(crate) fn tables(places: &[Place]) -> Vec<String> {
    let ids: Vec<String> = places.iter().map(|_| random_id()).collect();
    let masters = places.iter().filter(|place| place.master.is_none()).count();
    let table = |own: usize| {
        let mut text = String::new();
        for (index, place) in places.iter().enumerate() {
            let me = if index == own { "myself," } else { "" };
            let (kind, master) = match place.master {
                None => ("master", "-"),
                Some(master) => ("slave", ids[master].as_str()),
            };
            // A replica shows the epoch of its master.
            let epoch = place.master.unwrap_or(index) + 1;
            let (id, port, bus) = (&ids[index], place.port, place.bus);
            let _ = write!(text, "{id} 127.0.0.1:{port}@{bus} {me}{kind} {master} 0 0 {epoch} connected");
            if place.master.is_none() {
                let _ = write!(text, " {}-{}", index * SLOTS / masters, (index + 1) * SLOTS / masters - 1);
            }
            text.push('\n');
        }
        let _ = writeln!(text, "vars currentEpoch {masters} lastVoteEpoch 0");
        text
    };
    (0..places.len()).map(table).collect()
}

/// A name that no server of another cluster has, though that may have listened on the same port.
fn random_id() -> String {
    let parts = [(); 3].map(|()| RandomState::new().hash_one(0));
    format!("{:016x}{:016x}{:08x}", parts[0], parts[1], parts[2] & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_slots_have_a_master_and_each_server_knows_which_one_it_is() {
        let place = |port, master| Place { port, bus: port + 1, master };
        let tables = tables(&[place(1, None), place(3, None), place(5, None), place(7, Some(1))]);
        let line = |table: usize, line: usize| tables[table].lines().nth(line).expect("a line").to_owned();
        assert!(line(0, 0).ends_with(" 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-5460"));
        assert!(line(0, 1).ends_with(" 127.0.0.1:3@4 master - 0 0 2 connected 5461-10921"));
        assert!(line(2, 2).ends_with(" 127.0.0.1:5@6 myself,master - 0 0 3 connected 10922-16383"));
        let second = line(0, 1)[..40].to_owned();
        assert!(line(3, 3).ends_with(&format!(" 127.0.0.1:7@8 myself,slave {second} 0 0 2 connected")));
        assert_eq!(line(3, 4), "vars currentEpoch 3 lastVoteEpoch 0");
    }
}
