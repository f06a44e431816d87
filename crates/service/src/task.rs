//! Work that must complete.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle},
};

/// Runs a future to completion, also if the caller stops waiting for it.
///
/// It begins with the call; the returned future is small. A panic in it continues in the caller.
pub(crate) fn to_the_end<F>(work: F) -> impl Future<Output = F::Output> + Send + use<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    // Boxed: the runtime would copy the future several times.
    let task = tokio::spawn(Box::pin(work));
    async move { done(task.await).await }
}

/// Like [`to_the_end`], for work that can announce its result before it is complete: after this time the announced
/// result is enough for the caller.
pub(crate) fn to_the_end_or<T, F, W>(limit: Duration, work: W) -> impl Future<Output = T> + Send + use<T, F, W>
where
    W: FnOnce(oneshot::Sender<T>) -> F,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (says, said) = oneshot::channel();
    let mut task: JoinHandle<T> = tokio::spawn(Box::pin(work(says)));
    async move {
        if let Ok(ended) = tokio::time::timeout(limit, &mut task).await {
            return done(ended).await;
        }
        tokio::select! {
            biased;
            ended = &mut task => done(ended).await,
            Ok(said) = said => said,
        }
    }
}

async fn done<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels the task, and it ends this one too.
            Err(_) => std::future::pending().await,
        },
    }
}
