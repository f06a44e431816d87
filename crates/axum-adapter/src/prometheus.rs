//! An endpoint for Prometheus: the feature `prometheus`.
//!
//! All crates of Roomwire record their metrics through the [`metrics`](https://docs.rs/metrics) facade, so this module is
//! optional: an app with an exporter of its own installs that instead, before it builds the service.
//!
//! ```no_run
//! use axum::Router;
//! use roomwire_axum_adapter::prometheus;
//! use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
//! use roomwire_state_memory::MemoryState;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // First: the service records to what is installed when it is built.
//!     let metrics = prometheus::install()?;
//!     let service = WebSocketService::builder(WebSocketConfig::load()?).state(MemoryState::new()).build().await?;
//!     // On a port of its own, which clients do not reach.
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:9090").await?;
//!     let scraped = Router::new().route("/metrics", metrics.endpoint());
//!     tokio::spawn(async move { axum::serve(listener, scraped).await });
//!     roomwire_axum_adapter::serve(Router::new(), service, Gateway::new()).await?;
//!     Ok(())
//! }
//! ```

use std::{fmt, thread, time::Duration};

use axum::{
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use metrics_exporter_prometheus::PrometheusRecorder;

/// The upper bounds of histograms of durations: from handlers that only broadcast to calls that time out.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often measured values are moved from their queues into histograms, scraped or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of this process, as Prometheus reads them. Cheap to clone.
#[derive(Clone)]
pub struct PrometheusMetrics(PrometheusHandle);

/// Why the recorder cannot be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The process has a recorder already: another exporter, or an earlier call.
    #[error("the process has a recorder of metrics already")]
    Installed,
    /// The thread for the upkeep cannot be started.
    #[error("the thread for the upkeep of metrics cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Installs a recorder for Prometheus for the whole process. Call it before the state is connected and the service is
/// built. A thread moves measured values into histograms every five seconds, so that memory is bounded between scrapes.
///
/// # Errors
/// If the process has a recorder already, or the thread cannot be started.
pub fn install() -> Result<PrometheusMetrics, InstallError> {
    let (recorder, metrics) = recorder();
    metrics::set_global_recorder(recorder).map_err(|_| InstallError::Installed)?;
    let kept = metrics.clone();
    thread::Builder::new().name("roomwire-metrics".to_owned()).spawn(move || {
        loop {
            thread::park_timeout(UPKEEP);
            kept.run_upkeep();
        }
    })?;
    Ok(metrics)
}

/// A recorder that is not installed, with the buckets of [`install`]: to be installed together with others, or by a test
/// for its thread. Call [`run_upkeep`](PrometheusMetrics::run_upkeep) every few seconds if it is scraped rarely.
///
/// # Panics
/// Never: the buckets are constant.
#[must_use]
pub fn recorder() -> (PrometheusRecorder, PrometheusMetrics) {
    let buckets = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    let builder = buckets.unwrap_or_else(|error: BuildError| unreachable!("there are buckets: {error}"));
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    (recorder, PrometheusMetrics(handle))
}

impl PrometheusMetrics {
    /// All metrics, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Answers GET requests with all metrics, for a route such as `/metrics`. It has no access control.
    pub fn endpoint<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let metrics = self.clone();
        get(move || async move { metrics.into_response() })
    }

    /// Moves measured values into histograms. [`install`] and [`render`](Self::render) do it too.
    pub fn run_upkeep(&self) {
        self.0.run_upkeep();
    }
}

impl IntoResponse for PrometheusMetrics {
    fn into_response(self) -> axum::response::Response {
        ([(CONTENT_TYPE, TEXT)], self.render()).into_response()
    }
}

impl fmt::Debug for PrometheusMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusMetrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body};
    use http::{Request, header::CONTENT_TYPE};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::{TEXT, recorder};
    use crate::metrics::{ConnectionMetrics, REQUESTS_REFUSED};

    /// A metric of the app.
    const OWN: &str = "own_seconds";

    #[tokio::test]
    async fn the_endpoint_answers_with_help_zeros_and_what_was_counted() {
        let (recorder, metrics) = recorder();
        metrics::with_local_recorder(&recorder, || {
            ConnectionMetrics::new().accepted();
            metrics::histogram!(OWN).record(0.3);
        });
        let app = Router::new().route("/metrics", metrics.endpoint());
        let response =
            app.oneshot(Request::get("/metrics").body(Body::empty()).expect("valid")).await.expect("answers");
        assert_eq!(response.headers()[CONTENT_TYPE], TEXT);
        let body = response.into_body().collect().await.expect("reads").to_bytes();
        let text = std::str::from_utf8(&body).expect("text");
        for line in [
            &format!("# HELP {} {}", REQUESTS_REFUSED.name, REQUESTS_REFUSED.help),
            "# TYPE roomwire_connections_accepted_total counter",
            "roomwire_connections_accepted_total 1",
            "roomwire_connections 1",
            r#"roomwire_requests_refused_total{cause="origin"} 0"#,
            r#"own_seconds_bucket{le="0.25"} 0"#,
            r#"own_seconds_bucket{le="0.5"} 1"#,
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
    }
}
