//! Of a burst of one event of one client, only the last.

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
/// An event waits until its client has not sent another of the same name for a while. If one comes, it takes the place
/// of the one that waits, and the time begins anew; [`max_wait`](Self::max_wait) limits it. Each client and each event
/// by itself.
///
/// **Order.** Other events of the client are handled while an event waits. When its time has
/// come, it takes its turn behind what came before, so events of one client are still handled one at a time.
///
/// **Acknowledgements.** The last one is acknowledged when it has been handled. One that is replaced is acknowledged at
/// once with `SUPERSEDED` when it asked for it, else nothing is said; it must not be sent again. Layers outside of this
/// one see an empty answer when the event begins to wait: a timeout belongs inside.
///
/// **Disconnects.** What waits when the client goes is handled first, as all that it sent before; so the last words of
/// a draft are not lost.
///
/// At most 64 events of one client wait at one time; one of another name is then handled at once. `on_connect` and
/// `on_disconnect` never wait. The replaced ones are counted as `roomwire_events_total{outcome="SUPERSEDED"}`.
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
    /// Waits until no other has come for so long.
    pub fn new(wait: Duration) -> Self {
        Self { id: LayerId::next(), wait, max_wait: None }
    }

    /// However many come, the newest is handled so long after the first of the burst.
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
            // Asked whether it is ready when the time has come, not before: an event that waits takes no place there.
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
