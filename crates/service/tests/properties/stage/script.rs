//! What is to happen at which call of a decorated store or backplane.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use roomwire_core::StateError;
use tokio::sync::Semaphore;

use super::{eventually, stumble, within};

/// On which side of a call something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before anything was done.
    Before,
    /// After it was done, before the caller learns of it.
    After,
}

/// A call that waits until it is let go.
#[derive(Debug)]
pub(crate) struct Hold {
    arrived: Semaphore,
    go: Semaphore,
}

impl Hold {
    /// Returns when the call is waiting here.
    pub(crate) async fn reached(&self) {
        within("the call that is to be held", self.arrived.acquire()).await.expect("never closed").forget();
    }

    /// Lets the call go on.
    pub(crate) fn release(&self) {
        self.go.add_permits(1);
    }
}

/// Counts the calls; makes them fail or wait as a test says.
#[derive(Debug, Default)]
pub(crate) struct Script {
    log: Mutex<Vec<&'static str>>,
    heartbeats: AtomicUsize,
    comparisons: AtomicUsize,
    down: AtomicBool,
    hanging: AtomicBool,
    stumbling: AtomicBool,
    plans: Mutex<Vec<(Moment, &'static str, Plan)>>,
}

#[derive(Debug)]
enum Plan {
    Wait(Arc<Hold>),
    Fail,
}

impl Script {
    /// The names of the calls since the last time it was asked. What a heartbeat does of itself is left out.
    pub(crate) fn take_log(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.log.lock())
    }

    /// Every call is answered with `Unavailable` from now on.
    pub(crate) fn go_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// No call is answered from now on.
    pub(crate) fn hang(&self) {
        self.hanging.store(true, Ordering::SeqCst);
    }

    /// Calls are answered again, those from now on.
    pub(crate) fn come_back(&self) {
        self.down.store(false, Ordering::SeqCst);
        self.hanging.store(false, Ordering::SeqCst);
    }

    /// Calls give way at random, before and after, as over a network.
    pub(crate) fn stumble(&self) {
        self.stumbling.store(true, Ordering::SeqCst);
    }

    /// The next call of this method waits at this moment.
    pub(crate) fn hold(&self, moment: Moment, method: &'static str) -> Arc<Hold> {
        let hold = Arc::new(Hold { arrived: Semaphore::new(0), go: Semaphore::new(0) });
        self.plans.lock().push((moment, method, Plan::Wait(hold.clone())));
        hold
    }

    /// The next call of this method fails at this moment: without having done anything, or after it has.
    pub(crate) fn fail(&self, moment: Moment, method: &'static str) {
        self.plans.lock().push((moment, method, Plan::Fail));
    }

    /// How often it was read what a life holds.
    pub(crate) fn comparisons(&self) -> usize {
        self.comparisons.load(Ordering::SeqCst)
    }

    /// How many heartbeats there were.
    pub(crate) fn heartbeats(&self) -> usize {
        self.heartbeats.load(Ordering::SeqCst)
    }

    /// Returns when a heartbeat has begun and ended from now on.
    pub(crate) async fn heartbeat(&self) {
        let before = self.heartbeats.load(Ordering::SeqCst);
        // The first may have begun before; what it does ends before the third begins.
        eventually("heartbeats", async || self.heartbeats.load(Ordering::SeqCst) >= before + 3).await;
    }

    pub(super) fn note(&self, method: &'static str) {
        match method {
            "renew_lease" => drop(self.heartbeats.fetch_add(1, Ordering::SeqCst)),
            "held" => drop(self.comparisons.fetch_add(1, Ordering::SeqCst)),
            "touch" | "revocations" => {}
            _ => self.log.lock().push(method),
        }
    }

    pub(super) async fn pass(&self, moment: Moment, method: &'static str) -> Result<(), StateError> {
        if self.stumbling.load(Ordering::SeqCst) {
            stumble().await;
        }
        let plan = {
            let mut plans = self.plans.lock();
            let found = plans.iter().position(|(when, of, _)| (*when, *of) == (moment, method));
            found.map(|at| plans.remove(at).2)
        };
        match plan {
            Some(Plan::Wait(hold)) => {
                hold.arrived.add_permits(1);
                hold.go.acquire().await.expect("never closed").forget();
            }
            Some(Plan::Fail) => return Err(StateError::unavailable("the test makes it fail")),
            None => {}
        }
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) { Err(StateError::unavailable("the test keeps it down")) } else { Ok(()) }
    }
}

/// Forwards a call to `self.inner()`, as the script says.
macro_rules! forward {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {{
        $self.script.note(stringify!($method));
        $self.script.pass($crate::stage::Moment::Before, stringify!($method)).await?;
        let outcome = $self.inner().$method($($argument),*).await?;
        $self.script.pass($crate::stage::Moment::After, stringify!($method)).await?;
        Ok(outcome)
    }};
}
pub(super) use forward;
