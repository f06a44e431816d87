//! Named entries of many namespaces, and reading them a page at a time.

use std::{borrow::Borrow, collections::BTreeMap, ops::Bound};

use roomwire_core::{Namespace, Page, PageRequest};

/// Entries by namespace and name. Namespaces without entries are not kept.
#[derive(Debug)]
pub(crate) struct Table<I, V>(BTreeMap<Namespace, BTreeMap<I, V>>);

impl<I, V> Default for Table<I, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I: Ord + Clone, V> Table<I, V> {
    pub(crate) fn get(&self, namespace: &Namespace, id: &I) -> Option<&V> {
        self.0.get(namespace)?.get(id)
    }

    pub(crate) fn get_mut(&mut self, namespace: &Namespace, id: &I) -> Option<&mut V> {
        self.0.get_mut(namespace)?.get_mut(id)
    }

    pub(crate) fn insert(&mut self, namespace: &Namespace, id: &I, value: V) {
        self.0.entry(namespace.clone()).or_default().insert(id.clone(), value);
    }

    pub(crate) fn remove(&mut self, namespace: &Namespace, id: &I) -> Option<V> {
        let entries = self.0.get_mut(namespace)?;
        let removed = entries.remove(id);
        if entries.is_empty() {
            self.0.remove(namespace);
        }
        removed
    }

    pub(crate) fn count(&self, namespace: &Namespace) -> u64 {
        self.0.get(namespace).map_or(0, |entries| entries.len() as u64)
    }
}

impl<I: Ord + Borrow<str>, V> Table<I, V> {
    pub(crate) fn page<T>(&self, namespace: &Namespace, wanted: &PageRequest, item: impl Fn(&I, &V) -> T) -> Page<T> {
        page(self.0.get(namespace), wanted, item)
    }
}

/// One page of the entries, in the order of their names. The cursor is the last name of the previous page, so that
/// entries added or removed meanwhile move no others to another page.
pub(crate) fn page<I: Ord + Borrow<str>, V, T>(
    entries: Option<&BTreeMap<I, V>>,
    wanted: &PageRequest,
    item: impl Fn(&I, &V) -> T,
) -> Page<T> {
    let Some(entries) = entries else { return Page { items: Vec::new(), next: None } };
    let from = wanted.cursor().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = entries.range::<str, _>((from, Bound::Unbounded));
    let mut last = None;
    let items =
        rest.by_ref().take(wanted.limit()).inspect(|(id, _)| last = Some(*id)).map(|(id, v)| item(id, v)).collect();
    let next = rest.next().and(last).map(|id| id.borrow().to_owned());
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use roomwire_core::{PageRequest, RoomId};

    use super::page;

    #[test]
    fn a_page_holds_as_many_items_as_wanted_and_the_last_one_points_nowhere() {
        let entries: BTreeMap<RoomId, ()> =
            ["a", "b", "c"].into_iter().map(|name| (RoomId::new(name).expect("valid"), ())).collect();
        let read = |wanted: PageRequest| page(Some(&entries), &wanted, |id, ()| id.to_string());
        let first = read(PageRequest::first(2));
        assert_eq!((first.items, first.next.as_deref()), (vec!["a".to_owned(), "b".to_owned()], Some("b")));
        let second = read(PageRequest::after("b", 1));
        assert_eq!((second.items, second.next), (vec!["c".to_owned()], None));
        assert_eq!(read(PageRequest::after("c", 1)).items.len(), 0);
    }
}
