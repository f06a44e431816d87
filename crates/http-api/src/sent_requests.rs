//! The requests with an idempotency key, and their answers.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{self, Body},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use roomwire_core::Error;
use roomwire_service::{Refusal, RefusalLog};
use tokio::{sync::OnceCell, time::Instant};

use crate::status;

/// How long a key is remembered after its answer was kept, or after the last attempt that had none.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The number of keys that are remembered: about 10 MB of memory.
const MOST: usize = 20_000;

/// The requests with a key of the last minutes, and their answers.
#[derive(Debug)]
pub(crate) struct SentRequests {
    sent: Mutex<Sent>,
    hasher: RandomState,
    refusals: Arc<RefusalLog>,
}

#[derive(Debug, Default)]
struct Sent {
    requests: HashMap<String, SentRequest>,
    /// The keys, the longest known first, with the time from which each is remembered.
    order: BTreeMap<u64, (Instant, String)>,
    /// The next place in the order.
    next: u64,
}

#[derive(Clone, Debug)]
struct SentRequest {
    /// The hash of everything that the request says.
    fingerprint: u64,
    /// Set when it has an answer that is kept.
    answer: Arc<OnceCell<Answer>>,
    /// The key's place in the order.
    place: u64,
}

/// An answer, to be given again.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

impl SentRequests {
    pub(crate) fn new(refusals: Arc<RefusalLog>) -> Self {
        Self { sent: Mutex::default(), hasher: RandomState::new(), refusals }
    }

    /// The place for the answer to this request with this key. Call [`keep`](Self::keep) when the answer is there.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` if another request had the key.
    pub(crate) fn request(&self, key: &str, request: impl Hash) -> Result<Arc<OnceCell<Answer>>, Error> {
        let fingerprint = self.hasher.hash_one(request);
        let mut sent = self.sent.lock();
        let now = Instant::now();
        sent.forget(|at| now.saturating_duration_since(at) >= REMEMBERED);
        if let Some(known) = sent.requests.get(key).cloned() {
            if known.fingerprint != fingerprint {
                let problem = "The key of Idempotency-Key was used for another request; use a new one for each message";
                return Err(Error::application(status::IDEMPOTENCY_KEY_REUSED, problem));
            }
            if !known.answer.initialized() {
                sent.remember(key, now);
            }
            return Ok(known.answer);
        }
        if sent.order.len() >= MOST {
            sent.forget_first();
            self.refusals.report("idempotency keys", || Refusal {
                message: "the HTTP API gets more than 20000 idempotency keys in ten minutes: the oldest are forgotten, and a \
                          repeat of their requests is sent again"
                    .into(),
                example: key.to_owned(),
                key: None,
            });
        }
        let request = SentRequest { fingerprint, answer: Arc::default(), place: sent.next };
        let answer = request.answer.clone();
        sent.requests.insert(key.to_owned(), request);
        sent.remember(key, now);
        Ok(answer)
    }

    /// Remembers the key from now on, because its answer has just been kept: earlier attempts may have failed.
    pub(crate) fn keep(&self, key: &str) {
        self.sent.lock().remember(key, Instant::now());
    }
}

impl Sent {
    fn forget(&mut self, is_old: impl Fn(Instant) -> bool) {
        while self.order.first_key_value().is_some_and(|(_, (at, _))| is_old(*at)) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, (_, key))) = self.order.pop_first() {
            self.requests.remove(&key);
        }
    }

    /// Moves a known key to the end of the order.
    fn remember(&mut self, key: &str, now: Instant) {
        let Some(request) = self.requests.get_mut(key) else { return };
        self.order.remove(&request.place);
        request.place = self.next;
        self.order.insert(self.next, (now, key.to_owned()));
        self.next += 1;
    }
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        // The answers to sent messages are empty, or a problem.
        let body = body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        Self { status: head.status, content_type: head.headers.get(header::CONTENT_TYPE).cloned(), body }
    }

    /// Whether it is a failure of the server, which a retry should overcome.
    pub(crate) fn is_failure(&self) -> bool {
        self.status.is_server_error()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;
    use http::StatusCode;
    use tokio::sync::OnceCell;

    use super::{Answer, MOST, REMEMBERED, SentRequests};

    fn kept(sent: &SentRequests, key: &str, place: &OnceCell<Answer>) {
        let answer = Answer { status: StatusCode::ACCEPTED, content_type: None, body: Bytes::new() };
        place.set(answer).expect("has no answer yet");
        sent.keep(key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_for_one_request_and_forgotten_ten_minutes_after_its_answer() {
        let sent = SentRequests::new(Arc::default());
        let first = sent.request("key", 1).expect("new");
        kept(&sent, "key", &first);
        tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
        assert!(Arc::ptr_eq(&first, &sent.request("key", 1).expect("known")));
        assert!(sent.request("key", 2).is_err(), "another request");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!Arc::ptr_eq(&first, &sent.request("key", 2).expect("new again")));
        assert_eq!(sent.sent.lock().order.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_whose_attempts_failed_for_long_is_known_for_ten_minutes_after_it_succeeded() {
        let sent = SentRequests::new(Arc::default());
        let first = sent.request("key", 1).expect("new");
        for _ in 0..20 {
            tokio::time::advance(REMEMBERED / 15).await;
            sent.request("other", 1).expect("of another program");
            assert!(Arc::ptr_eq(&first, &sent.request("key", 1).expect("known")), "it has no answer yet");
        }
        // The last attempt takes long.
        tokio::time::advance(REMEMBERED / 2).await;
        kept(&sent, "key", &first);
        tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
        assert!(Arc::ptr_eq(&first, &sent.request("key", 1).expect("known")));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!Arc::ptr_eq(&first, &sent.request("key", 1).expect("new again")), "repeats do not count");
        assert_eq!(sent.sent.lock().order.len(), 1);
    }

    #[tokio::test]
    async fn beyond_the_bound_the_oldest_keys_are_forgotten() {
        let sent = SentRequests::new(Arc::default());
        for number in 0..MOST * 2 {
            sent.request(&number.to_string(), 1).expect("new");
        }
        let remembered = {
            let sent = sent.sent.lock();
            (sent.order.len(), sent.requests.len())
        };
        assert_eq!(remembered, (MOST, MOST));
        assert!(sent.request("0", 2).is_ok(), "it was forgotten");
        assert!(sent.request(&(MOST * 2 - 1).to_string(), 2).is_err(), "it was not");
    }
}
