//! The tables of all keys. A key that is missing here does not exist for files, variables, checks and documentation.

mod api;
mod auth;
mod cluster;
mod limits;
mod server;

use super::{ConfigKey, key::key};

/// The longest time that most durations allow, in milliseconds.
const TEN_MINUTES: u64 = 600_000;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// The longest path of a file, or URL, in bytes.
const LONGEST_PATH: usize = 4096;

static GROUPS: [&[ConfigKey]; 5] = [server::KEYS, auth::KEYS, limits::KEYS, cluster::KEYS, api::KEYS];

impl ConfigKey {
    /// Every key, those of the top level and those of a group such as `retryConfig`.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        GROUPS.into_iter().flatten()
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|key| key.name == name)
    }

    /// The names of the keys inside a group, or at the top level for an empty name. Empty when there is no such group.
    pub(super) fn names_in(group: &str) -> Vec<&'static str> {
        let mut names: Vec<_> = Self::all()
            .filter_map(|key| match key.name.split_once('.') {
                Some((its_group, _)) if group.is_empty() => Some(its_group),
                Some((its_group, name)) => (its_group == group).then_some(name),
                None => group.is_empty().then_some(key.name),
            })
            .collect();
        names.dedup();
        names
    }
}
