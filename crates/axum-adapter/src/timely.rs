//! The body of a request, which must come in time.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

/// Whether a body did not come in time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late(Arc<AtomicBool>);

impl Late {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The same body, as long as whoever reads it has not waited for so long in all: then it fails.
///
/// Only waiting for the client counts. A reader that takes its time, because a client's events wait to be handled,
/// costs the client nothing.
pub(crate) fn body(body: Body, patience: Duration) -> (Body, Late) {
    let late = Late::default();
    let reading = Reading { body: Some(body.into_data_stream()), patience, late: late.clone() };
    let pieces = stream::unfold(reading, |mut reading| async move {
        let body = reading.body.as_mut()?;
        let began = Instant::now();
        let Ok(piece) = tokio::time::timeout(reading.patience, body.next()).await else {
            reading.late.0.store(true, Ordering::Release);
            reading.body = None;
            let error = io::Error::new(io::ErrorKind::TimedOut, "the request's body did not come in time");
            return Some((Err(axum::Error::new(error)), reading));
        };
        reading.patience = reading.patience.saturating_sub(began.elapsed());
        Some((piece?, reading))
    });
    (Body::from_stream(pieces), late)
}

struct Reading {
    /// Gone once it was late.
    body: Option<BodyDataStream>,
    /// How long may still be waited for the client.
    patience: Duration,
    late: Late,
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use axum::body::Body;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use tokio::time::{Instant, sleep};

    /// A body that comes a byte a second.
    fn slow(bytes: usize) -> Body {
        Body::from_stream(stream::iter(0..bytes).then(|_| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Bytes::from_static(b"x"))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_a_byte_a_second_fails_when_its_time_is_over() {
        let began = Instant::now();
        let (body, late) = super::body(slow(100), Duration::from_millis(3500));
        let pieces: Vec<_> = body.into_data_stream().collect().await;
        assert_eq!((pieces.len(), pieces.iter().filter(|piece| piece.is_ok()).count()), (4, 3));
        assert!(late.is_so());
        assert_eq!(began.elapsed(), Duration::from_millis(3500));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_the_reader_takes_does_not_count() {
        let (body, late) = super::body(slow(3), Duration::from_millis(3500));
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            piece.expect("in time");
            sleep(Duration::from_secs(60)).await;
        }
        assert!(!late.is_so());
    }
}
