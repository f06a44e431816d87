//! The time limit of a request body.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

/// Whether the body's time limit was exceeded.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimedOut(Arc<AtomicBool>);

impl TimedOut {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How much longer the server waits for each byte that came.
const FOR_EACH_BYTE: Duration = Duration::from_millis(2);

/// The same body, until its reader has waited longer for the client than `patience` and a second for each 500 bytes
/// that came: then it fails. The reader never waits for longer than `patience` at once.
///
/// So a large body arrives over a slow line, and no body takes for ever. Only waiting for the client counts. A reader
/// that takes its time, because a client's events wait to be handled, costs the client nothing.
pub(crate) fn body(body: Body, patience: Duration) -> (Body, TimedOut) {
    let late = TimedOut::default();
    let reading = Reading { body: Some(body.into_data_stream()), patience, most: patience, late: late.clone() };
    let pieces = stream::unfold(reading, |mut reading| async move {
        let body = reading.body.as_mut()?;
        let began = Instant::now();
        let Ok(piece) = tokio::time::timeout(reading.patience, body.next()).await else {
            reading.late.0.store(true, Ordering::Release);
            reading.body = None;
            let error = io::Error::new(io::ErrorKind::TimedOut, "the request's body did not come in time");
            return Some((Err(axum::Error::new(error)), reading));
        };
        let bytes = piece.as_ref().map_or(0, |piece| piece.as_ref().map_or(0, Bytes::len));
        let credit = FOR_EACH_BYTE.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX));
        reading.patience = reading.patience.saturating_sub(began.elapsed()).saturating_add(credit).min(reading.most);
        Some((piece?, reading))
    });
    (Body::from_stream(pieces), late)
}

struct Reading {
    /// Gone once it was late.
    body: Option<BodyDataStream>,
    /// How long may still be waited for the client.
    patience: Duration,
    most: Duration,
    late: TimedOut,
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
    async fn a_large_body_may_come_slowly_but_not_a_byte_a_second() {
        let began = Instant::now();
        let (dripping, late) = super::body(slow(100), Duration::from_millis(3500));
        let pieces: Vec<_> = dripping.into_data_stream().collect().await;
        assert_eq!((pieces.len(), pieces.iter().filter(|piece| piece.is_ok()).count()), (4, 3));
        assert!(late.is_so());
        assert_eq!(began.elapsed(), Duration::from_millis(3506), "two milliseconds more for each byte");

        let a_megabyte =
            Body::from_stream(slow(1000).into_data_stream().map(|_| Ok::<_, Infallible>([0; 1000].as_slice())));
        let (body, late) = super::body(a_megabyte, Duration::from_millis(3500));
        let came = body.into_data_stream().filter(|piece| std::future::ready(piece.is_ok())).count().await;
        assert_eq!((came, late.is_so()), (1000, false), "a kilobyte a second");

        let began = Instant::now();
        let much_at_once = stream::iter([Ok::<_, Infallible>(Bytes::from(vec![0; 1_000_000]))]);
        let then_silence = Body::from_stream(much_at_once.chain(stream::pending()));
        let (body, late) = super::body(then_silence, Duration::from_millis(3500));
        assert_eq!((body.into_data_stream().count().await, late.is_so()), (2, true));
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
