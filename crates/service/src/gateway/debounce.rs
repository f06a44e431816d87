//! Debouncing: of a burst of one event of one client, only the last is handled.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, Ready, ready},
};
use roomwire_core::Payload;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::{Event, deferred::Defer, layered::LayerId};

/// Handles only the last event of a burst, as a tower layer around a handler or a gateway.
///
/// An event waits until its client has not sent another of the same name for a while. A newer one replaces the waiting
/// event and restarts the timer; [`max_wait`](Self::max_wait) limits the total. Clients and events do not affect each
/// other.
///
/// **Order.** Other events of the client are handled while an event waits. When its timer expires, it is queued behind
/// the events received before, so events of one client are still handled one at a time.
///
/// **Acknowledgements.** The last event is acknowledged after it was handled. A replaced event that asked for an
/// acknowledgement gets `SUPERSEDED` at once; the client must not retry it. Layers outside of this one see an empty
/// response when the event begins to wait: put a timeout layer inside.
///
/// **Disconnects.** When the client disconnects, a waiting event is handled first, like every event received before; so
/// the last version of a draft is saved.
///
/// At most 64 events of one client wait at one time; an event with another name is then handled at once. `on_connect`
/// and `on_disconnect` never wait. Replaced events are counted as `roomwire_events_total{outcome="SUPERSEDED"}`.
///
/// ```
/// use std::time::Duration;
///
/// use roomwire_service::{Data, DebounceLayer, Error, Gateway, Handler};
///
/// async fn save_draft(Data(text): Data<String>) -> Result<(), Error> {
///     # let _ = text;
///     Ok(())
/// }
///
/// // Half a second after the last key stroke, and every five seconds during longer typing.
/// let layer = DebounceLayer::new(Duration::from_millis(500)).max_wait(Duration::from_secs(5));
/// let gateway = Gateway::new().on("save-draft", save_draft.layer(layer));
/// # let _ = gateway;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DebounceLayer {
    id: LayerId,
    wait: Duration,
    max_wait: Option<Duration>,
}

impl DebounceLayer {
    /// Waits until no other event of the name has arrived for this time.
    pub fn new(wait: Duration) -> Self {
        Self { id: LayerId::next(), wait, max_wait: None }
    }

    /// Handles the newest event at the latest this long after the first of the burst.
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.max_wait = Some(longest);
        self
    }
}

impl<S> Layer<S> for DebounceLayer
where
    S: Service<Event, Response = Payload> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Service = Debounce;

    fn layer(&self, inner: S) -> Debounce {
        let then = move |event| {
            // `poll_ready` is called when the timer expires, not before: a waiting event must not reserve capacity of
            // the inner service.
            let handled = inner.clone().oneshot(event);
            async move { handled.await.map_err(Into::into) }.boxed()
        };
        Debounce { layer: self.clone(), then: Arc::new(then) }
    }
}

/// A service behind a [`DebounceLayer`].
#[derive(Clone)]
pub struct Debounce {
    layer: DebounceLayer,
    then: Then,
}

/// The continuation of an event after its delay.
pub(super) type Then = Arc<dyn Fn(Event) -> BoxFuture<'static, Result<Payload, BoxError>> + Send + Sync>;

impl Service<Event> for Debounce {
    type Response = Payload;
    type Error = BoxError;
    type Future = Either<Ready<Result<Payload, BoxError>>, BoxFuture<'static, Result<Payload, BoxError>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: Event) -> Self::Future {
        let DebounceLayer { id, wait, max_wait } = self.layer;
        match event.defer(&Defer { layer: id, wait, max_wait, then: &self.then }) {
            None => Either::Left(ready(Ok(Payload::default()))),
            Some(event) => Either::Right((self.then)(event)),
        }
    }
}

impl fmt::Debug for Debounce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layer.fmt(f)
    }
}
