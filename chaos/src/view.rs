//! Memberships, as one observer sees them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// How many differences are shown.
const SHOWN: usize = 12;

/// A client's place: its node and its rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node's name.
    pub node: String,
    /// The rooms' names.
    pub rooms: BTreeSet<String>,
}

/// Memberships, as one observer sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    clients: BTreeMap<String, Place>,
    /// Clients that are seen in two places, and the like.
    oddities: Vec<String>,
}

impl View {
    /// A client is there, and in these rooms.
    pub fn add(&mut self, client: &str, node: &str, rooms: BTreeSet<String>) {
        let place = Place { node: node.to_owned(), rooms };
        if let Some(other) = self.clients.insert(client.to_owned(), place)
            && other != self.clients[client]
        {
            self.oddities.push(format!("{client} is at {} and at {node}", other.node));
        }
    }

    /// Something that must not be.
    pub fn add_oddity(&mut self, what: String) {
        self.oddities.push(what);
    }

    /// The clients and their places.
    #[must_use]
    pub fn clients(&self) -> &BTreeMap<String, Place> {
        &self.clients
    }

    /// How many memberships there are.
    #[must_use]
    pub fn memberships(&self) -> usize {
        self.clients.values().map(|place| place.rooms.len()).sum()
    }

    /// What another sees differently, for people; nothing when both see the same and nothing odd.
    #[must_use]
    pub fn differences(&self, name: &str, other: &Self, other_name: &str) -> Option<String> {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.oddities.iter().map(|oddity| format!("{name}: {oddity}")));
        lines.extend(other.oddities.iter().map(|oddity| format!("{other_name}: {oddity}")));
        let all: BTreeSet<&String> = self.clients.keys().chain(other.clients.keys()).collect();
        for client in all {
            match (self.clients.get(client), other.clients.get(client)) {
                (Some(one), Some(two)) if one == two => {}
                (Some(one), Some(two)) => {
                    let mut line = format!("{client}:");
                    if one.node != two.node {
                        let _ = write!(line, " at {} for {name}, at {} for {other_name}", one.node, two.node);
                    }
                    let (more, less): (Vec<_>, Vec<_>) =
                        (one.rooms.difference(&two.rooms).collect(), two.rooms.difference(&one.rooms).collect());
                    if !more.is_empty() {
                        let _ = write!(line, " in {more:?} only for {name}");
                    }
                    if !less.is_empty() {
                        let _ = write!(line, " in {less:?} only for {other_name}");
                    }
                    lines.push(line);
                }
                (Some(place), None) => {
                    lines.push(format!("{client} (at {}, {:?}) only for {name}", place.node, place.rooms));
                }
                (None, Some(place)) => {
                    lines.push(format!("{client} (at {}, {:?}) only for {other_name}", place.node, place.rooms));
                }
                (None, None) => {}
            }
        }
        if lines.is_empty() {
            return None;
        }
        let count = lines.len();
        lines.truncate(SHOWN);
        let more = if count > SHOWN { format!("\n    and {} more", count - SHOWN) } else { String::new() };
        Some(format!(
            "{count} differences between {name} ({} clients, {} memberships) and {other_name} ({}, {}):\n    {}{more}",
            self.clients.len(),
            self.memberships(),
            other.clients.len(),
            other.memberships(),
            lines.join("\n    ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(clients: &[(&str, &str, &[&str])]) -> View {
        let mut view = View::default();
        for (client, node, rooms) in clients {
            let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
            view.add(client, node, rooms);
        }
        view
    }

    #[test]
    fn the_same_view_has_no_differences() {
        let one = view(&[("a", "n0", &["r1", "r2"]), ("b", "n1", &[])]);
        assert_eq!(one.differences("one", &one.clone(), "two"), None);
    }

    #[test]
    fn each_difference_is_told() {
        let one = view(&[("a", "n0", &["r1"]), ("b", "n0", &["r1"]), ("c", "n0", &[])]);
        let two = view(&[("a", "n1", &["r1"]), ("b", "n0", &["r2"]), ("d", "n0", &[])]);
        let told = one.differences("one", &two, "two").expect("they differ");
        for part in [
            "4 differences between one (3 clients, 2 memberships) and two (3, 2)",
            "a: at n0 for one, at n1 for two",
            r#"b: in ["r1"] only for one in ["r2"] only for two"#,
            "c (at n0, {}) only for one",
            "d (at n0, {}) only for two",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn one_client_in_two_places_is_odd() {
        let one = view(&[("a", "n0", &[]), ("a", "n1", &[])]);
        assert!(one.differences("one", &one.clone(), "two").is_some_and(|told| told.contains("a is at n0 and at n1")));
    }
}
