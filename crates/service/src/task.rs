//! Work that must not be left half done.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle},
};

/// Runs a future to its end, also when the caller stops waiting for it.
///
/// A panic in it continues in the caller.
pub(crate) async fn to_the_end<F>(work: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    done(tokio::spawn(work).await).await
}

/// As [`to_the_end`], for work that says at some point what it will come to, whatever happens to the rest of it: after
/// so long that is enough for the caller.
pub(crate) async fn to_the_end_or<T, F>(limit: Duration, work: impl FnOnce(oneshot::Sender<T>) -> F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (says, said) = oneshot::channel();
    let mut task: JoinHandle<T> = tokio::spawn(work(says));
    if let Ok(ended) = tokio::time::timeout(limit, &mut task).await {
        return done(ended).await;
    }
    tokio::select! {
        biased;
        ended = &mut task => done(ended).await,
        Ok(said) = said => said,
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
