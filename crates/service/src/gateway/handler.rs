//! Async functions as handlers.

use std::{pin::Pin, sync::Arc};

use roomwire_core::{Error, Payload};

use super::{Event, EventLayer, FromEvent, IntoReply, Layered, Requirement};

/// An async function that handles an event.
///
/// Implemented for functions and closures of up to eight arguments that implement [`FromEvent`], with a future that
/// is `Send` and resolves to a `Result` ([`IntoReply`]). `A` only distinguishes the argument types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is an `async fn` of up to 8 arguments that returns `Result<T, E>` with `T: Serialize`, `E: Into<Error>`",
    note = "its arguments are taken by value: WebSocketService, Client, Data<T> for what the client sent, State<T>, EventName, Payload, Event, DisconnectReason, LeftRooms, or types that implement FromEvent",
    note = "its future must be Send: hold no `Rc`, `RefCell` guard or std `MutexGuard` across an `.await`"
)]
pub trait Handler<A>: Clone + Send + Sync + 'static {
    /// Extracts the arguments and runs the function.
    fn call(self, event: Event) -> impl Future<Output = Result<Payload, Error>> + Send;

    /// The states that its arguments need.
    #[must_use]
    fn requires() -> Vec<Requirement>;

    /// Puts a tower layer around this handler alone. The layer that is added last sees an event first, and so does the
    /// one that was added to a `tower::ServiceBuilder` first. For a layer's errors see
    /// [`Gateway::layer`](super::Gateway::layer).
    ///
    /// The trait must be in scope. If it is and the compiler finds no method `layer`, the function is no handler: the
    /// error of `Gateway::on` explains why.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use roomwire_service::{DebounceLayer, Error, Gateway, Handler, RateLimitLayer};
    /// use tower::{ServiceBuilder, timeout::TimeoutLayer};
    ///
    /// async fn search() -> Result<(), Error> {
    ///     Ok(())
    /// }
    ///
    /// let search = search.layer(
    ///     ServiceBuilder::new()
    ///         .layer(RateLimitLayer::per_second(20))
    ///         .layer(DebounceLayer::new(Duration::from_millis(200)))
    ///         .layer(TimeoutLayer::new(Duration::from_secs(5))),
    /// );
    /// let gateway = Gateway::new().on("search", search);
    /// # let _ = gateway;
    /// ```
    #[must_use]
    fn layer<L: EventLayer>(self, layer: L) -> Layered<A, Self>
    where
        A: 'static,
    {
        Layered::new(self, layer)
    }
}

/// A handler without its type.
pub(super) type BoxHandler = Arc<dyn Fn(Event) -> BoxReply + Send + Sync>;

/// The future of a handler without its type.
pub(super) type BoxReply = Pin<Box<dyn Future<Output = Result<Payload, Error>> + Send>>;

pub(super) fn boxed<A, H: Handler<A>>(handler: H) -> BoxHandler {
    Arc::new(move |event| {
        let handler = handler.clone();
        Box::pin(async move { handler.call(event).await })
    })
}

macro_rules! handler {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        #[allow(non_snake_case, reason = "the arguments are named as their types")]
        impl<F, Fut, $($argument,)*> Handler<($($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoReply> + Send,
            $($argument: FromEvent,)*
        {
            async fn call(self, event: Event) -> Result<Payload, Error> {
                $(let $argument = $argument::from_event(&event).await?;)*
                drop(event);
                self($($argument),*).await.into_reply()
            }

            fn requires() -> Vec<Requirement> {
                [$($argument::requires()),*].into_iter().flatten().collect()
            }
        }
    };
}

impl<F, Fut> Handler<()> for F
where
    F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoReply> + Send,
{
    async fn call(self, event: Event) -> Result<Payload, Error> {
        drop(event);
        self().await.into_reply()
    }

    fn requires() -> Vec<Requirement> {
        Vec::new()
    }
}

handler!(A1);
handler!(A1, A2);
handler!(A1, A2, A3);
handler!(A1, A2, A3, A4);
handler!(A1, A2, A3, A4, A5);
handler!(A1, A2, A3, A4, A5, A6);
handler!(A1, A2, A3, A4, A5, A6, A7);
handler!(A1, A2, A3, A4, A5, A6, A7, A8);
