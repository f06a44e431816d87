//! All followers of a service, and the targets that are shown in the log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;
use roomwire_core::{ClientId, Clock, Error, ErrorCode, Namespace, Timestamp, UserId};

use super::{
    FollowTarget, Follower,
    follower::{Entry, Subscription, UserOf},
};

/// The largest number of followers of a service, and of targets that are shown in the log: each of them is compared
/// with every event.
const MOST: usize = 64;

/// The followers of a service, and the targets that are shown in the log.
#[derive(Debug)]
pub(crate) struct Followers {
    /// Whether there is any of them.
    ///
    /// Relaxed is enough: a broadcast that begins after `follow` returned is ordered after it by whatever tells the
    /// broadcaster so.
    is_active: AtomicBool,
    /// Replaced as a whole, so that no lock is held while an item is queued or a line written.
    watching: RwLock<Arc<Watching>>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    pub(super) followers: Vec<Arc<Entry>>,
    /// Sorted, each once.
    pub(super) shown: Vec<FollowTarget>,
    has_ended: bool,
}

impl Followers {
    /// Without followers. Shows everything in the log if `debug` is true.
    pub(crate) fn new(clock: Arc<dyn Clock>, debug: bool) -> Self {
        let shown = if debug { vec![FollowTarget::All] } else { Vec::new() };
        let watching = Watching { shown, ..Watching::default() };
        Self { is_active: AtomicBool::new(debug), watching: RwLock::new(Arc::new(watching)), clock }
    }

    /// Whether anything is followed or shown in the log. Called for each event, so it only loads a flag.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    pub(super) fn watching(&self) -> Arc<Watching> {
        self.watching.read().clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether there may be one follower more.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub(crate) fn one_more(&self) -> Result<(), Error> {
        self.watching().one_more()
    }

    /// Adds a follower. `clients` returns the clients of a user on this node.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`, or `SHUTTING_DOWN`.
    pub(crate) fn add(
        self: &Arc<Self>,
        (namespace, target): (Namespace, FollowTarget),
        subscription: Subscription,
        user_of: UserOf,
        clients: impl FnOnce(&UserId) -> Vec<ClientId>,
    ) -> Result<Follower, Error> {
        let entry = Arc::new(Entry::new(namespace, target, user_of));
        self.change(|watching| {
            watching.one_more()?;
            watching.followers.push(entry.clone());
            Ok(())
        })?;
        entry.add_clients(clients);
        Ok(Follower::new(entry, self.clone(), subscription))
    }

    pub(super) fn remove(&self, entry: &Arc<Entry>) {
        // Removing never fails.
        let _ = self.change(|watching| {
            watching.followers.retain(|other| !Arc::ptr_eq(other, entry));
            Ok(())
        });
    }

    /// Replaces the targets that are shown in the log.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub(crate) fn show(&self, targets: impl IntoIterator<Item = FollowTarget>) -> Result<(), Error> {
        let mut targets: Vec<FollowTarget> = targets.into_iter().take(MOST + 1).collect();
        if targets.len() > MOST {
            let problem = format!("More than {MOST} targets: show all, or fewer");
            return Err(Error::with_message(ErrorCode::LimitExceeded, problem));
        }
        targets.sort_unstable();
        targets.dedup();
        self.change(|watching| {
            watching.shown = targets;
            Ok(())
        })
    }

    /// Shows everything in the log, or nothing.
    pub(crate) fn show_all(&self, shows: bool) {
        // Never too many.
        let _ = self.show(shows.then_some(FollowTarget::All));
    }

    /// The targets that are shown in the log, sorted.
    pub(crate) fn shown(&self) -> Vec<FollowTarget> {
        self.watching().shown.clone()
    }

    /// Ends all followers: no more can be added.
    pub(crate) fn end(&self) {
        let mut ended = Vec::new();
        // Ending never fails.
        let _ = self.change(|watching| {
            watching.has_ended = true;
            ended = std::mem::take(&mut watching.followers);
            Ok(())
        });
        for entry in ended {
            entry.queue.close();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Watching) -> Result<(), Error>) -> Result<(), Error> {
        let mut watching = self.watching.write();
        change(Arc::make_mut(&mut watching))?;
        self.is_active.store(!watching.followers.is_empty() || !watching.shown.is_empty(), Ordering::Relaxed);
        Ok(())
    }
}

impl Watching {
    fn one_more(&self) -> Result<(), Error> {
        if self.has_ended {
            return Err(ErrorCode::ShuttingDown.into());
        }
        if self.followers.len() >= MOST {
            let problem = format!("This node has {MOST} followers, and can have no more: end one first");
            return Err(Error::with_message(ErrorCode::LimitExceeded, problem));
        }
        Ok(())
    }
}
