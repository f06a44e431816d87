//! A hundred honest clients in ten rooms, and others that come and go.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use tokio::runtime::{Builder, Runtime};

use crate::{
    Phase, eventually,
    latency::FLOOR,
    ledger::Ledger,
    member::Member,
    newcomers::{self, Newcomers},
};

/// One of so many speaks by HTTP requests.
const POLLING_ONE_OF: usize = 20;

/// How many messages must have been heard under attack to speak of a percentile.
const ENOUGH: u64 = 1000;

/// How long the last messages may take to arrive.
const LAST: Duration = Duration::from_secs(10);

/// The crowd, on a thread of its own.
pub struct Crowd {
    ledger: Arc<Ledger>,
    newcomers: Arc<Newcomers>,
    /// What the server calls them: those that speak by HTTP requests first.
    pub(crate) ids: Vec<String>,
    thread: Option<Runtime>,
}

impl Crowd {
    /// The number of clients, without those that come and go.
    pub const ALL: usize = 100;

    /// Lets all come and begin to chat.
    ///
    /// # Panics
    /// When one is not let in.
    pub(crate) async fn come(server: SocketAddr, connect: &str, with_newcomers: bool) -> Self {
        let thread = Builder::new_multi_thread().worker_threads(1).thread_name("crowd").enable_all().build();
        let thread = thread.unwrap_or_else(|error| panic!("no thread for the crowd: {error}"));
        let (ledger, newcomers) = (Ledger::new(Self::ALL), Arc::new(Newcomers::default()));
        let coming: Vec<_> = (0..Self::ALL)
            .map(|index| {
                let polls = index % POLLING_ONE_OF == POLLING_ONE_OF / 2;
                thread.spawn(Member::come(server, connect.to_owned(), index, polls))
            })
            .collect();
        // No client sends before all are there: they would miss it.
        let mut members = Vec::new();
        for (index, coming) in coming.into_iter().enumerate() {
            match coming.await {
                Ok(Ok(member)) => members.push(member),
                other => panic!("member {index} is not let in: {other:?}"),
            }
        }
        let (mut ids, others) = members.iter().partition::<Vec<_>, _>(|member| matches!(member, Member::Polling(_)));
        ids.extend(others);
        let ids = ids.into_iter().map(|member| member.id().to_owned()).collect();
        for (index, member) in members.into_iter().enumerate() {
            thread.spawn(member.live(index, ledger.clone()));
        }
        if with_newcomers {
            thread.spawn(newcomers::come(server, connect.to_owned(), newcomers.clone(), ledger.clone()));
        }
        Self { ledger, newcomers, ids, thread: Some(thread) }
    }

    /// What is sent from now on counts for this phase.
    pub fn begin(&self, phase: Phase) {
        self.ledger.latencies.set_phase(phase);
    }

    /// Lets all stop to talk and waits until all is heard.
    ///
    /// # Panics
    /// When anybody lost anything, was refused or disconnected, or when the 99th percentile of the latencies during
    /// the attack is more than twice as high as without, and more than twice as high as beside a program that keeps the
    /// machine busy.
    pub(crate) async fn verdict(self, row: &str) {
        self.ledger.close();
        eventually("all is heard", LAST, async || {
            let done = self.ledger.missing().is_empty() || !self.ledger.faults().is_empty();
            done.then_some(())
        })
        .await;
        let latencies = &self.ledger.latencies;
        let (came, slowest) = (self.newcomers.came(), self.newcomers.slowest());
        println!(
            "{row}: {} messages sent, none lost; heard:{latencies} {came} came, the slowest in {slowest:.1?}",
            self.ledger.sent()
        );
        let (faults, missing) = (self.ledger.faults(), self.ledger.missing());
        assert!(
            faults.is_empty() && missing.is_empty(),
            "{} faults: {:#?}, missing: {:#?}",
            faults.len(),
            &faults[..faults.len().min(10)],
            &missing[..missing.len().min(10)]
        );
        let heard = latencies.count(Phase::Attack);
        assert!(heard >= ENOUGH, "the attack was over before the crowd could notice: {heard} messages");
        let [quiet, busy, attack] =
            [Phase::Quiet, Phase::Busy, Phase::Attack].map(|phase| latencies.percentile(phase, 99.0));
        let most = quiet.max(busy).max(FLOOR) * 2;
        assert!(
            attack <= most,
            "p99 was {quiet:?}, on a busy machine {busy:?}, and became {attack:?}; {most:?} are allowed"
        );
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crowd").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
