//! Rate limits for single events of a client.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    TryFutureExt,
    future::{Either, MapErr, Ready, ready},
};
use parking_lot::Mutex;
use roomwire_core::{EventName, Payload, UserId};
use tower::{BoxError, Layer, Service, ServiceExt, util::Oneshot};

use super::{
    Event,
    client_rate::{Limiter, at_least_one, limiter, refused},
    layered::LayerId,
};
use crate::metrics::Limit;

/// Rejects an event that a client sends more often than this, as a tower layer around a handler or a gateway.
///
/// Each client has its own rate limit for each event, in addition to the `limits` for all its events together. An event
/// above it does not reach the handler: its acknowledgement is `RATE_LIMITED` with `retryAfterMs`, or the client gets
/// that as the event `error`. The memory, some 100 bytes, is freed when the client disconnects. Counted in
/// `roomwire_limited_total{limit="rateLimitLayer"}`.
///
/// Clones are one layer: a client that sends the same event to two of them uses one limit. Events that only the
/// gateway's fallback handles share one.
///
/// ```
/// use roomwire_service::{Client, Data, Error, Gateway, Handler, RateLimitLayer};
///
/// async fn cursor(client: Client, Data((x, y)): Data<(u32, u32)>) -> Result<(), Error> {
///     # let _ = (client, x, y);
///     Ok(())
/// }
///
/// // Twenty a second, and five at once.
/// let gateway = Gateway::new().on("cursor", cursor.layer(RateLimitLayer::per_second(20).burst(5)));
/// # let _ = gateway;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer(Allowance);

#[derive(Clone, Debug)]
struct Allowance {
    id: LayerId,
    period: Duration,
    burst: NonZeroU32,
    users: Option<Arc<Users>>,
}

impl RateLimitLayer {
    /// This many events in this time, with a burst of the same size. 0 counts as 1, and a zero duration as a
    /// nanosecond.
    pub fn new(events: u32, per: Duration) -> Self {
        let events = at_least_one(events);
        let period = (per / events.get()).max(Duration::from_nanos(1));
        Self(Allowance { id: LayerId::next(), period, burst: events, users: None })
    }

    /// This many events a second, with a burst of the same size.
    pub fn per_second(events: u32) -> Self {
        Self::new(events, Duration::from_secs(1))
    }

    /// This many events a minute, with a burst of the same size.
    pub fn per_minute(events: u32) -> Self {
        Self::new(events, Duration::from_secs(60))
    }

    /// The number of events that an idle client may send at once (burst); 0 counts as 1.
    pub fn burst(mut self, events: u32) -> Self {
        self.0.burst = at_least_one(events);
        self
    }

    /// Makes all clients of a user on this node share one limit. A client without a user has its own.
    pub fn per_user(mut self) -> Self {
        self.0.users = Some(Arc::default());
        self
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit { inner, allowance: self.0.clone() }
    }
}

/// A service behind a [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    allowance: Allowance,
}

impl<S> Service<Event> for RateLimit<S>
where
    S: Service<Event, Response = Payload> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Payload;
    type Error = BoxError;
    type Future = Either<Ready<Result<Payload, BoxError>>, MapErr<Oneshot<S, Event>, fn(S::Error) -> BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The inner service is polled only for an event that passes: a rejected one must not reserve capacity there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: Event) -> Self::Future {
        match self.allowance.of(&event).check() {
            Ok(()) => Either::Right(self.inner.clone().oneshot(event).map_err(Into::into)),
            Err(wait) => {
                let error = refused(Limit::Layer, "Too many events of this name", &wait);
                Either::Left(ready(Err(error.into())))
            }
        }
    }
}

impl Allowance {
    fn of(&self, event: &Event) -> Arc<Limiter> {
        let name = event.is_registered().then(|| event.name().clone());
        let full = || Arc::new(limiter(self.period, self.burst));
        event.session.buckets.get(self.id, name.as_ref(), || match (&self.users, event.client().user()) {
            (Some(users), Some(user)) => users.get((name.clone(), user.clone()), full),
            _ => full(),
        })
    }
}

/// The rate limiters of one client: at most one for each layer and registered event.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<Vec<Bucket>>);

type Bucket = (LayerId, Option<EventName>, Arc<Limiter>);

impl Buckets {
    fn get(&self, id: LayerId, name: Option<&EventName>, new: impl FnOnce() -> Arc<Limiter>) -> Arc<Limiter> {
        let mut buckets = self.0.lock();
        let known = buckets.iter().find(|(layer, event, _)| *layer == id && event.as_ref() == name);
        if let Some((_, _, limiter)) = known {
            return limiter.clone();
        }
        let limiter = new();
        buckets.push((id, name.cloned(), limiter.clone()));
        limiter
    }
}

/// Rate limiters of users, shared by their clients and dropped with the last of them.
#[derive(Debug, Default)]
struct Users(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    limiters: HashMap<UserKey, Weak<Limiter>>,
    /// The number of entries after the last removal of dropped ones.
    here: usize,
}

type UserKey = (Option<EventName>, UserId);

/// The number of users before dropped entries are removed for the first time.
const FEW_USERS: usize = 64;

impl Users {
    fn get(&self, key: UserKey, new: impl FnOnce() -> Arc<Limiter>) -> Arc<Limiter> {
        let mut known = self.0.lock();
        if let Some(limiter) = known.limiters.get(&key).and_then(Weak::upgrade) {
            return limiter;
        }
        known.forget_the_gone();
        let limiter = new();
        known.limiters.insert(key, Arc::downgrade(&limiter));
        limiter
    }
}

impl Known {
    /// Runs only when the number of entries has doubled since the last time, so the amortized cost is constant.
    fn forget_the_gone(&mut self) {
        if self.limiters.len() >= (2 * self.here).max(FEW_USERS) {
            self.limiters.retain(|_, limiter| limiter.strong_count() > 0);
            self.here = self.limiters.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc, time::Duration};

    use roomwire_core::UserId;

    use super::{FEW_USERS, Users, limiter};

    #[tokio::test]
    async fn users_that_are_gone_are_forgotten_and_those_that_are_here_are_not() {
        let users = Users::default();
        let full = || Arc::new(limiter(Duration::from_secs(60), NonZeroU32::MIN));
        let get = |user: &str| users.get((None, UserId::new(user).expect("valid")), full);
        let here = get("here");
        assert!(here.check().is_ok());
        for number in 0..10_000 {
            get(&format!("gone-{number}"));
        }
        let known = users.0.lock().limiters.len();
        assert!(known <= FEW_USERS, "{known}");
        assert!(Arc::ptr_eq(&here, &get("here")));
        assert!(get("here").check().is_err(), "used up");
    }
}
