//! Signals of the process: shutdown and reload.

use std::convert::Infallible;

use roomwire_service::WebSocketService;

/// Waits for Ctrl-C or, on Unix, SIGTERM. Waits forever if neither is available.
pub async fn stop_requested() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Reloads the configuration at each SIGHUP, for as long as the returned future is polled; it waits forever where there
/// is no such signal.
///
/// [`serve`](crate::serve) and [`Server`](crate::Server) do so by themselves. An app with its own server spawns it: without
/// it, SIGHUP ends the process. What is read, and which keys change, [`WebSocketService::reload_config`] says. A
/// configuration that was written in code has nothing to read again: then a warning is logged, and nothing else happens.
///
/// From the call on, the signal no longer ends the process, also when its terminal is closed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn reload_on_hangup(service: WebSocketService) -> impl Future<Output = Infallible> + Send + 'static {
    #[cfg(unix)]
    let hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    async move {
        #[cfg(unix)]
        if let Ok(mut hangups) = hangups {
            while hangups.recv().await.is_some() {
                // It logs the outcome.
                let _ = service.reload_config().await;
            }
        }
        let _service = service;
        std::future::pending().await
    }
}
