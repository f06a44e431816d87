//! One Redis server.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult, aio::MultiplexedConnection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{guard::Guard, port::free_port};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a server may take to answer; longer than a fork or a busy machine makes it wait.
const ANSWER: Duration = Duration::from_secs(10);

/// The name of the file in its folder that a server logs to.
const LOG: &str = "redis.log";
/// How often ports are chosen before all of them count as taken.
pub(crate) const TRIES: usize = 20;

/// Another program listens on the port.
#[derive(Debug)]
pub(crate) struct PortTaken;

/// What a server is started with, beyond what all of them are: lines of `redis.conf`, and variables of its process.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    lines: Vec<(String, String)>,
    variables: Vec<(String, String)>,
}

impl Settings {
    /// With a setting of `redis.conf`, such as `maxmemory`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.lines.push((name.into(), value.into()));
        self
    }

    /// With a variable of the process.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn password(&self) -> Option<&str> {
        self.lines.iter().rev().find_map(|(name, value)| (name == "requirepass").then_some(value.as_str()))
    }
}

/// A `redis-server` process. It saves nothing by itself. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct RedisServer {
    settings: Settings,
    folder: TempDir,
    port: u16,
    /// Where the servers of a cluster talk to each other.
    bus: Option<u16>,
    process: Option<(Guard, Child)>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// As [`Self::start`], with settings.
    pub async fn start_with(settings: Settings) -> Self {
        let mut server = Self::new(settings, None);
        // Another program may take the port before the server does.
        for _ in 0..TRIES {
            match server.run().await {
                Ok(()) => return server,
                Err(PortTaken) => server.port = free_port(),
            }
        }
        panic!("redis-server finds every port in use")
    }

    /// A server that does not run yet.
    pub(crate) fn new(settings: Settings, bus: Option<u16>) -> Self {
        let folder = tempfile::Builder::new().prefix("roomwire-redis-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder can be made: {error}"));
        Self { settings, folder, port: free_port(), bus, process: None }
    }

    /// What clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The port it listens on. It stays the same when the server is started again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process, while it runs.
    ///
    /// # Panics
    /// When it was killed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running().map_or_else(|| panic!("the server was killed"), |pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// The folder with its data and its log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the process where it is (`SIGSTOP`): connections stay and nothing is answered.
    pub fn stop_answering(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped process go on (`SIGCONT`).
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills the process (`SIGKILL`); when this returns it is gone and its connections are closed.
    pub fn kill(&mut self) {
        if let Some((guard, mut process)) = self.process.take() {
            drop(guard);
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again on the same port, with what [`Self::save`] saved; kills it before if it runs.
    pub async fn start_again(&mut self) {
        self.kill();
        if let Err(PortTaken) = self.run().await {
            panic!("port {} was taken while its server was down", self.port);
        }
    }

    /// Starts it again on the same port without any data; kills it before if it runs. One of a cluster keeps its place.
    pub async fn start_again_empty(&mut self) {
        self.kill();
        match fs::remove_file(self.folder.path().join("dump.rdb")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("its data cannot be removed: {error}"),
            _ => self.start_again().await,
        }
    }

    /// Writes the data to disk, for [`Self::start_again`].
    pub async fn save(&self) {
        self.ask::<()>(&["SAVE"]).await;
    }

    /// Removes all data.
    pub async fn flush_all(&self) {
        self.ask::<()>(&["FLUSHALL"]).await;
    }

    /// Changes a setting of the running server.
    pub async fn set(&self, name: &str, value: &str) {
        self.ask::<()>(&["CONFIG", "SET", name, value]).await;
    }

    /// What it answers to a command, over a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_ask(command).await.unwrap_or_else(|error| panic!("{} to {}: {error}", command.join(" "), self.url()))
    }

    /// As [`Self::ask`], and the error when it refuses or does not answer.
    ///
    /// # Errors
    /// As said.
    pub async fn try_ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = self.connect().await?;
        let [name, arguments @ ..] = command else { panic!("a command has a name") };
        redis::cmd(name).arg(arguments).query_async(&mut connection).await
    }

    /// A connection for many commands.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let url = match self.settings.password() {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => self.url(),
        };
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER)).set_response_timeout(Some(ANSWER));
        redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn run(&mut self) -> Result<(), PortTaken> {
        self.spawn();
        self.is_up().await
    }

    /// Starts the process.
    pub(crate) fn spawn(&mut self) {
        // Only what this start says counts.
        let _ = fs::remove_file(self.folder.path().join(LOG));
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--logfile", LOG, "--daemonize", "no", "--dir"])
            .arg(self.folder.path())
            .args(self.bus.iter().flat_map(|bus| ["--cluster-port".to_owned(), bus.to_string()]))
            .args(self.settings.lines.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]))
            .envs(self.settings.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = process.unwrap_or_else(|error| {
            panic!("redis-server cannot be started: {error}; on Debian: apt-get install redis-server")
        });
        self.process = Some((Guard::over(Pid::from_child(&process), self.folder.path()), process));
    }

    /// Waits until the process that was started answers.
    pub(crate) async fn is_up(&mut self) -> Result<(), PortTaken> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if matches!(timeout(ANSWER, answers(self.address())).await, Ok(Ok(true))) {
                return Ok(());
            }
            let ended = self.process.as_mut().is_none_or(|(_, process)| !matches!(process.try_wait(), Ok(None)));
            if ended {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.kill();
        let log = fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
        if log.contains("Address already in use") { Err(PortTaken) } else { panic!("redis-server ended: {log}") }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    fn running(&self) -> Option<Pid> {
        self.process.as_ref().map(|(_, process)| Pid::from_child(process))
    }

    fn signal(&self, signal: Signal) {
        let pid = self.running().unwrap_or_else(|| panic!("the server was killed"));
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{pid:?} cannot be told {signal:?}: {error}"));
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a server takes commands there, also if it wants a password first.
async fn answers(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
}
