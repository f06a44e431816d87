//! Suggests the key that was probably meant.

use super::ConfigKey;

/// The key with the name nearest to this one: equal except for case and separators, or one typing error away. The group
/// may be missing. `None` if no key is near.
pub(super) fn key_like(name: &str) -> Option<&'static ConfigKey> {
    let name = letters(name);
    let last_part = |key: &ConfigKey| key.name().rsplit('.').next().map(letters);
    let find = |is_like: &dyn Fn(&ConfigKey) -> bool| ConfigKey::all().find(|key| is_like(key));
    find(&|key| letters(key.name()) == name)
        .or_else(|| find(&|key| last_part(key).as_ref() == Some(&name)))
        .or_else(|| find(&|key| is_near(&letters(key.name()), &name)))
        .or_else(|| find(&|key| last_part(key).is_some_and(|part| is_near(&part, &name))))
}

/// The group of keys with the name nearest to this one.
pub(super) fn group_like(name: &str) -> Option<&'static str> {
    let name = letters(name);
    ConfigKey::all()
        .filter_map(|key| key.name().split_once('.').map(|(group, _)| group))
        .find(|group| letters(group) == name || is_near(&letters(group), &name))
}

/// The common form of `ping_interval`, `ping-interval`, `PING_INTERVAL` and `pingInterval`.
fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether the names differ by one missing, extra or different character, or one transposition. Short names are all
/// similar, so they must be equal.
fn is_near(one: &[char], other: &[char]) -> bool {
    if one.len().min(other.len()) < 4 {
        return false;
    }
    let front = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[front..], &other[front..]);
    let back = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&one[..one.len() - back], &other[..other.len() - back]) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}
