//! A server, its crowd, and attackers.

use std::{
    net::SocketAddr,
    num::NonZero,
    path::Path,
    thread::{self, available_parallelism},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{Attackers, Crowd, PATIENCE, Phase, Server, Settings, allow_many_files, eventually};

/// How long the crowd is alone before the first attack.
const QUIET: Duration = Duration::from_secs(4);
/// How long the machine is kept busy before the first attack, and again after the last.
const BUSY: Duration = Duration::from_secs(2);
/// How long the crowd is alone after each attack.
const REST: Duration = Duration::from_secs(1);

/// All of it is gone when this is dropped.
#[derive(Debug)]
pub struct Fixture {
    /// The server.
    pub server: Server,
    crowd: Crowd,
    attackers: Attackers,
    row: &'static str,
    began: Instant,
}

impl Fixture {
    /// A server with the limits that it has by default, and a crowd that chats. `row` is what the test is called where
    /// its figures are printed.
    ///
    /// # Panics
    /// When the server does not start or the crowd is not let in.
    pub async fn set(program: impl AsRef<Path>, row: &'static str, settings: Settings) -> Self {
        Self::set_with(program, row, settings, true).await
    }

    /// As [`Self::set`], without the clients that come and go, for a server that is to be full.
    ///
    /// # Panics
    /// As [`Self::set`].
    pub async fn without_newcomers(program: impl AsRef<Path>, row: &'static str, settings: Settings) -> Self {
        Self::set_with(program, row, settings, false).await
    }

    async fn set_with(program: impl AsRef<Path>, row: &'static str, settings: Settings, newcomers: bool) -> Self {
        allow_many_files();
        let began = Instant::now();
        let server = Server::start(program, &settings).await;
        let crowd = Crowd::come(server.address, &settings.connect, newcomers).await;
        let fixture = Self { server, crowd, attackers: Attackers::new(), row, began };
        sleep(QUIET).await;
        fixture.keep_the_machine_busy().await;
        fixture
    }

    /// Computes on every core without a word to the server: what that costs the crowd is the machine's doing, and an
    /// attack on the same cores may cost as much.
    async fn keep_the_machine_busy(&self) {
        self.crowd.begin(Phase::Busy);
        let until = Instant::now() + BUSY;
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            thread::spawn(move || while Instant::now() < until {});
        }
        sleep_until(until).await;
        self.crowd.begin(Phase::Quiet);
        sleep(REST).await;
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What the server calls the members of the crowd: those that speak by HTTP requests first.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.crowd.ids
    }

    /// Runs an attack to its end while the crowd chats, and lets the crowd chat alone after it.
    ///
    /// # Panics
    /// When the attack panics.
    pub async fn attack<T: Send + 'static>(&self, attack: impl Future<Output = T> + Send + 'static) -> T {
        self.crowd.begin(Phase::Attack);
        let output = self.attackers.run(attack).await;
        self.crowd.begin(Phase::Quiet);
        sleep(REST).await;
        output
    }

    /// As [`Self::attack`], for what the test itself does meanwhile.
    pub async fn meanwhile<T>(&self, attack: impl Future<Output = T>) -> T {
        self.crowd.begin(Phase::Attack);
        let output = attack.await;
        self.crowd.begin(Phase::Quiet);
        sleep(REST).await;
        output
    }

    /// Waits until the server has no clients but the crowd: attackers leave nothing behind.
    ///
    /// # Panics
    /// When it does not come to that in time.
    pub async fn settles(&self) {
        // The clients that come and go are there, or not.
        let crowd = Crowd::ALL..=Crowd::ALL + 1;
        eventually("nobody but the crowd is left", PATIENCE, async || {
            crowd.contains(&self.server.counts().await.clients).then_some(())
        })
        .await;
    }

    /// Prints what was measured, and checks that the crowd and the server are well.
    ///
    /// # Panics
    /// When they are not.
    pub async fn verdict(self) {
        self.keep_the_machine_busy().await;
        self.server.verdict().await;
        self.crowd.verdict(self.row).await;
        println!("{}: {:.1?} in all", self.row, self.began.elapsed());
    }
}
