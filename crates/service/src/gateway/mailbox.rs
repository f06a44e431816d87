//! The queue of a client's received events, in order.

use std::{collections::VecDeque, sync::Arc};

use bytestring::ByteString;
use parking_lot::Mutex;
use roomwire_core::{ClientTransport, DisconnectReason, Error, config::Limits};

use super::{Incoming, deferred::DeferredKey, respond::ReplyTo};
use crate::metrics::{self, Limit, Metrics};

/// One job of a client's worker.
#[derive(Debug)]
pub(super) enum Job {
    Connected,
    Event(Incoming),
    Refusal {
        to: ReplyTo,
        error: Error,
        /// The event's name, for followers.
        name: Option<ByteString>,
    },
    /// The delay of a deferred event is over.
    Due(DeferredKey),
    Closed(DisconnectReason),
}

impl Job {
    /// How to respond to the client.
    pub(super) fn reply_to(&self) -> ReplyTo {
        match self {
            Self::Event(event) => ReplyTo::new(Some(&event.name), event.ack),
            Self::Refusal { to, .. } => to.clone(),
            Self::Connected | Self::Due(_) | Self::Closed(_) => ReplyTo::new(None, None),
        }
    }

    /// The event's name, unchecked.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(&event.name),
            Self::Refusal { name, .. } => name.as_deref(),
            Self::Connected | Self::Due(_) | Self::Closed(_) => None,
        }
    }

    /// Whether it is an event of the client.
    fn is_event(&self) -> bool {
        matches!(self, Self::Event(_) | Self::Refusal { .. })
    }

    /// The memory it uses besides its own size.
    fn bytes(&self) -> usize {
        match self {
            Self::Event(event) => event.name.len() + event.payload.size(),
            _ => 0,
        }
    }
}

/// What the caller of a push must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// Nothing. A worker is busy, or will start when the client is connected, and will process the job.
    Queued,
    /// As `Queued`, and the mailbox is full: reading from the client is paused until half of the jobs are processed.
    Paused,
    /// No worker runs for this mailbox: start one.
    StartWorker,
    /// The hard bound is exceeded: the job and all later ones are dropped. The client must be disconnected.
    Overflow,
    /// The client has disconnected, or is about to; the job is dropped.
    Closed,
}

/// A bounded queue with one worker at a time, which exists only while there are jobs: an idle client has no task.
#[derive(Debug)]
pub(super) struct Mailbox {
    queue: Mutex<Queue>,
    /// The server stops reading from the client at this number of events, and at this number of bytes.
    pause_at: usize,
    pause_at_bytes: usize,
    transport: Arc<dyn ClientTransport>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// The bytes of the queued events.
    bytes: usize,
    /// Whether `Connected` was queued. Events that arrive before wait for it.
    opened: bool,
    working: bool,
    paused: bool,
    /// Nothing follows a gap: set when an event was dropped, or is to be dropped.
    deaf: bool,
    closed: bool,
}

/// The number of events that may arrive after the client was paused: data already read from the network, at most one
/// HTTP body or read buffer full of the smallest possible events.
const AFTER_PAUSE: usize = 16_384;

/// The capacity that an empty mailbox keeps.
const KEPT_CAPACITY: usize = 16;

impl Mailbox {
    pub(super) fn new(limits: &Limits, transport: Arc<dyn ClientTransport>, metrics: Arc<Metrics>) -> Self {
        let (pause_at, pause_at_bytes) = (limits.mailbox, limits.byte_burst as usize);
        Self { queue: Mutex::default(), pause_at, pause_at_bytes, transport, metrics }
    }

    /// Puts a job at the end; `Connected` goes to the front.
    pub(super) fn put(&self, job: Job) -> Accepted {
        let mut queue = self.queue.lock();
        if queue.closed {
            self.dropped(std::slice::from_ref(&job));
            return Accepted::Closed;
        }
        match job {
            Job::Connected => {
                queue.opened = true;
                queue.jobs.push_front(job);
            }
            Job::Closed(_) => {
                queue.closed = true;
                if !queue.opened {
                    // If the client was never activated, nothing is run for it.
                    self.dropped(&queue.jobs);
                    queue.jobs.clear();
                    queue.bytes = 0;
                }
                queue.jobs.push_back(job);
            }
            Job::Event(_) | Job::Refusal { .. } if queue.deaf => {
                self.metrics.events_dropped(1);
                return Accepted::Closed;
            }
            Job::Event(_) | Job::Refusal { .. } if queue.jobs.len() >= self.pause_at + AFTER_PAUSE => {
                queue.deaf = true;
                self.metrics.events_dropped(1);
                return Accepted::Overflow;
            }
            Job::Event(_) | Job::Refusal { .. } | Job::Due(_) => {
                queue.bytes += job.bytes();
                queue.jobs.push_back(job);
            }
        }
        let is_full = queue.jobs.len() >= self.pause_at || queue.bytes >= self.pause_at_bytes;
        let pauses = is_full && !queue.paused && !queue.closed;
        if pauses {
            queue.paused = true;
            metrics::limited(Limit::Mailbox);
            // Under the lock, as below, so that the calls come in pairs.
            self.transport.pause();
        }
        let idle = !queue.working && (queue.opened || queue.closed);
        queue.working |= idle;
        // A single large event is no backlog.
        match (idle, pauses && queue.jobs.len() > 1) {
            (true, _) => Accepted::StartWorker,
            (false, true) => Accepted::Paused,
            (false, false) => Accepted::Queued,
        }
    }

    /// Drops all later jobs except the end; queued jobs run.
    pub(super) fn stop_listening(&self) {
        self.queue.lock().deaf = true;
    }

    /// Drops queued and later jobs, except the end.
    pub(super) fn discard_pending(&self) {
        let mut queue = self.queue.lock();
        queue.deaf = true;
        self.dropped(&queue.jobs);
        queue.jobs.retain(|job| matches!(job, Job::Closed(_)));
        queue.bytes = 0;
    }

    /// Counts the events among jobs that are dropped.
    fn dropped<'a>(&self, jobs: impl IntoIterator<Item = &'a Job>) {
        self.metrics.events_dropped(jobs.into_iter().filter(|job| job.is_event()).count());
    }

    /// Whether the client has disconnected.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Takes the next job. If there is none, the worker ends; `ends` is called before another one can start.
    pub(super) fn take_or(&self, ends: impl FnOnce()) -> Option<Job> {
        let mut queue = self.queue.lock();
        let job = queue.jobs.pop_front();
        queue.bytes -= job.as_ref().map_or(0, Job::bytes);
        if job.is_none() {
            ends();
            queue.working = false;
            queue.jobs.shrink_to(KEPT_CAPACITY);
        }
        let has_room = queue.jobs.len() <= self.pause_at / 2 && queue.bytes <= self.pause_at_bytes / 2;
        if queue.paused && has_room {
            queue.paused = false;
            self.transport.resume();
        }
        job
    }
}
