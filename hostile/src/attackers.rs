//! The threads of attackers.

use std::fmt;

use tokio::runtime::{Builder, Runtime};

/// How willingly attackers' threads yield to others: as willingly as they can.
const NICE: i32 = 19;

/// Runs attackers on threads that yield the processor to the server and the crowd.
///
/// Real attackers come with machines of their own. Here all share one, and what they compute, such as a
/// million mutations, must not count as what their attack costs others.
pub struct Attackers(Option<Runtime>);

impl Attackers {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("attacker")
            .on_thread_start(|| {
                // Only a thread that may not yield more stays as it is.
                let _ = rustix::process::nice(NICE);
            })
            .enable_all()
            .build();
        Self(Some(runtime.unwrap_or_else(|error| panic!("no threads for attackers: {error}"))))
    }

    /// Runs an attack to its end.
    ///
    /// # Panics
    /// When it panics.
    pub(crate) async fn run<T: Send + 'static>(&self, attack: impl Future<Output = T> + Send + 'static) -> T {
        let Some(runtime) = &self.0 else { panic!("the attackers are gone") };
        match runtime.spawn(attack).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("an attack was broken off: {error}"),
            },
        }
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Attackers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attackers").finish_non_exhaustive()
    }
}
