//! The requests with an idempotency key, and their answers.

use std::{
    collections::{HashMap, VecDeque},
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

/// How long a key is remembered.
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
    /// The keys in the order of their first requests.
    order: VecDeque<(Instant, String)>,
}

#[derive(Clone, Debug)]
struct SentRequest {
    /// The hash of everything that the request says.
    fingerprint: u64,
    /// Set when it has an answer that is kept.
    answer: Arc<OnceCell<Answer>>,
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

    /// The place for the answer to this request with this key.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` if another request had the key.
    pub(crate) fn request(&self, key: String, request: impl Hash) -> Result<Arc<OnceCell<Answer>>, Error> {
        let fingerprint = self.hasher.hash_one(request);
        let mut sent = self.sent.lock();
        let now = Instant::now();
        sent.forget(|at| now.saturating_duration_since(at) >= REMEMBERED);
        if let Some(known) = sent.requests.get(&key) {
            if known.fingerprint != fingerprint {
                let problem = "The key of Idempotency-Key was used for another request; use a new one for each message";
                return Err(Error::application(status::IDEMPOTENCY_KEY_REUSED, problem));
            }
            return Ok(known.answer.clone());
        }
        if sent.order.len() >= MOST {
            sent.forget_first();
            self.refusals.report("idempotency keys", || Refusal {
                message: "the HTTP API gets more than 20000 idempotency keys in ten minutes: the oldest are forgotten, and a \
                          repeat of their requests is sent again"
                    .into(),
                example: key.clone(),
                key: None,
            });
        }
        let request = SentRequest { fingerprint, answer: Arc::default() };
        let answer = request.answer.clone();
        sent.order.push_back((now, key.clone()));
        sent.requests.insert(key, request);
        Ok(answer)
    }
}

impl Sent {
    fn forget(&mut self, is_old: impl Fn(Instant) -> bool) {
        while self.order.front().is_some_and(|(at, _)| is_old(*at)) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.requests.remove(&key);
        }
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

    use super::{MOST, REMEMBERED, SentRequests};

    #[tokio::test(start_paused = true)]
    async fn a_key_is_for_one_request_and_forgotten_after_ten_minutes() {
        let sent = SentRequests::new(Arc::default());
        let first = sent.request("key".to_owned(), 1).expect("new");
        tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
        assert!(Arc::ptr_eq(&first, &sent.request("key".to_owned(), 1).expect("known")));
        assert!(sent.request("key".to_owned(), 2).is_err(), "another request");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!Arc::ptr_eq(&first, &sent.request("key".to_owned(), 2).expect("new again")));
        assert_eq!(sent.sent.lock().order.len(), 1);
    }

    #[tokio::test]
    async fn beyond_the_bound_the_oldest_keys_are_forgotten() {
        let sent = SentRequests::new(Arc::default());
        for number in 0..MOST * 2 {
            sent.request(number.to_string(), 1).expect("new");
        }
        let remembered = {
            let sent = sent.sent.lock();
            (sent.order.len(), sent.requests.len())
        };
        assert_eq!(remembered, (MOST, MOST));
        assert!(sent.request("0".to_owned(), 2).is_ok(), "it was forgotten");
        assert!(sent.request((MOST * 2 - 1).to_string(), 2).is_err(), "it was not");
    }
}
