//! Pagination of lists over all partitions.

use roomwire_core::{Page, PageRequest};

/// One step of a scan: the cursor of the next one (`0` at the end), and named items.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) next: String,
    pub(crate) items: Vec<(String, T)>,
}

/// The start of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    /// The index of the list.
    list: usize,
    /// The Redis cursor in it.
    scan: String,
    /// Names up to this one were on earlier pages: the server returns a small list at once, whatever `COUNT` is.
    after: Option<String>,
}

impl Cursor {
    fn start() -> Self {
        Self { list: 0, scan: "0".to_owned(), after: None }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let list = parts.next()?.parse().ok()?;
        let scan = parts.next()?.parse::<u64>().ok()?.to_string();
        Some(Self { list, scan, after: parts.next().map(str::to_owned) })
    }

    fn write(&self) -> String {
        let Self { list, scan, after } = self;
        after.as_ref().map_or_else(|| format!("{list}:{scan}"), |after| format!("{list}:{scan}:{after}"))
    }
}

/// Assembles one page from the steps of several lists. An invalid cursor is at the end.
#[derive(Debug)]
pub(crate) struct Pager<T> {
    limit: usize,
    lists: usize,
    /// The start of the next step; `None` if the page is complete.
    step: Option<Cursor>,
    items: Vec<T>,
    /// The start of the next page.
    next: Option<Cursor>,
}

/// A step: of which list, from where, and for how many items.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) list: usize,
    pub(crate) scan: String,
    pub(crate) count: usize,
}

impl<T> Pager<T> {
    pub(crate) fn new(wanted: &PageRequest, lists: usize) -> Self {
        let step = match wanted.cursor() {
            Some(text) => Cursor::read(text).filter(|cursor| cursor.list < lists),
            None => Some(Cursor::start()),
        };
        Self { limit: wanted.limit(), lists, step, items: Vec::new(), next: None }
    }

    /// The next step, as long as the page is not full and there is more.
    pub(crate) fn step(&self) -> Option<Step> {
        let cursor = self.step.as_ref()?;
        Some(Step { list: cursor.list, scan: cursor.scan.clone(), count: self.limit - self.items.len() })
    }

    /// Adds the result of a step.
    pub(crate) fn take(&mut self, mut found: Found<T>) {
        let Some(mut cursor) = self.step.take() else { return };
        let room = self.limit - self.items.len();
        found.items.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(after) = &cursor.after {
            found.items.retain(|(name, _)| name > after);
        }
        let is_whole = cursor.scan == "0" && found.next == "0";
        if is_whole && found.items.len() > room {
            found.items.truncate(room);
            cursor.after = found.items.last().map(|(name, _)| name.clone());
            self.next = Some(cursor);
        } else {
            let list = if found.next == "0" { cursor.list + 1 } else { cursor.list };
            let following = Some(Cursor { list, scan: found.next, after: None }).filter(|next| next.list < self.lists);
            if found.items.len() >= room {
                self.next = following;
            } else {
                self.step = following;
            }
        }
        self.items.extend(found.items.into_iter().map(|(_, item)| item));
    }

    pub(crate) fn page(self) -> Page<T> {
        Page { items: self.items, next: self.next.map(|cursor| cursor.write()) }
    }
}

#[cfg(test)]
mod tests {
    use roomwire_core::PageRequest;

    use super::{Cursor, Found, Pager};

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for after in [None, Some(String::new()), Some("a:b:c".to_owned())] {
            let cursor = Cursor { list: 3, scan: "17".to_owned(), after };
            assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        }
        for text in ["", "x", "1", "1:x", "-1:0"] {
            assert_eq!(Cursor::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_list_that_comes_at_once_is_cut_into_pages_of_the_wanted_size() {
        let mut wanted = PageRequest::first(2);
        let mut read = Vec::new();
        loop {
            let mut pager = Pager::new(&wanted, 2);
            while let Some(step) = pager.step() {
                let items = ["c", "a", "b"].map(|name| (name.to_owned(), format!("{}{name}", step.list)));
                pager.take(Found { next: "0".to_owned(), items: items.into() });
            }
            let page = pager.page();
            assert!(page.items.len() <= 2);
            read.extend(page.items);
            match page.next {
                Some(cursor) => wanted = PageRequest::after(cursor, 2),
                None => break,
            }
        }
        assert_eq!(read, ["0a", "0b", "0c", "1a", "1b", "1c"]);
    }
}
