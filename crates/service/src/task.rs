//! Work that must not be left half done.

/// Runs a future to its end, also when the caller stops waiting for it.
///
/// A panic in it continues in the caller.
pub(crate) async fn to_the_end<F>(work: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels the task, and it ends this one too.
            Err(_) => std::future::pending().await,
        },
    }
}
