//! The server under attack, in a process of its own.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use crate::{Http, PATIENCE};

/// How a server is started: variables on top of its defaults; and what it must be shown.
#[derive(Clone, Debug)]
pub struct Settings {
    variables: Vec<(String, String)>,
    /// The packet by which honest clients connect.
    pub(crate) connect: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { variables: Vec::new(), connect: "40".to_owned() }
    }
}

impl Settings {
    /// With a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With a token that honest clients show.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.connect = connect_packet(token);
        self
    }
}

/// The packet that connects to the namespace `/` and shows a token.
#[must_use]
pub fn connect_packet(token: &str) -> String {
    format!("40{}", serde_json::json!({ "token": token }))
}

/// What a server writes when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Where clients connect to.
    pub clients: SocketAddr,
    /// Where the test asks, which no limit concerns.
    pub control: SocketAddr,
}

/// What the server believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many clients are connected.
    pub clients: usize,
    /// How many panics there were.
    pub panics: usize,
}

/// What the server counted, by the name with its labels.
pub type Metrics = BTreeMap<String, f64>;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    /// Where clients connect to.
    pub address: SocketAddr,
    control: SocketAddr,
    process: Child,
    _input: Option<ChildStdin>,
    log: PathBuf,
    _folder: TempDir,
}

impl Server {
    /// Starts a server and waits until it serves clients.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(program: impl AsRef<Path>, settings: &Settings) -> Self {
        let program = program.as_ref();
        let folder = tempfile::Builder::new().prefix("roomwire-hostile-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder can be made: {error}"));
        let log = folder.path().join("server.log");
        let lines = File::create(&log).unwrap_or_else(|error| panic!("{error}"));
        let process = Command::new(program)
            .env("ROOMWIRE_PORT", "0")
            .env("ROOMWIRE_LOGGER__PRETTY", "false")
            .envs(settings.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(lines)
            .kill_on_drop(true)
            .spawn();
        let mut process = process.unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()));
        let Some(output) = process.stdout.take() else { panic!("a process without output") };
        let first = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
        let Ok(Ok(Some(line))) = first else {
            panic!("the server did not start: {}", fs::read_to_string(&log).unwrap_or_default())
        };
        let Listening { clients, control } = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}"));
        Self { address: clients, control, _input: process.stdin.take(), process, log, _folder: folder }
    }

    /// Its process, while it runs.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_else(|| panic!("the server has ended: {}", self.log_tail()))
    }

    /// What it answers to a question of the test.
    ///
    /// # Panics
    /// When it does not answer, or refuses.
    pub async fn ask<T: DeserializeOwned>(&self, question: &str, body: &impl Serialize) -> T {
        let body = serde_json::to_string(body).unwrap_or_default();
        let content = "content-type: application/json\r\n";
        let answer = Http::connect(self.control).await.ask_with("POST", &format!("/{question}"), content, &body).await;
        assert_eq!(answer.status, 200, "{question}: {answer:?}{}", self.log_tail());
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{question}: {error}: {}", answer.body))
    }

    /// What it believes.
    pub async fn counts(&self) -> Counts {
        self.ask("counts", &()).await
    }

    /// What it counted.
    pub async fn metrics(&self) -> Metrics {
        let text: String = self.ask("metrics", &()).await;
        let line = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log, for failure reports.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("\n  log of the server:\n    {}", lines[lines.len().saturating_sub(12)..].join("\n    "))
    }

    /// Checks that it is well.
    ///
    /// # Panics
    /// When it has ended, panicked or logged an error.
    pub(crate) async fn verdict(&self) {
        let Counts { panics, .. } = self.counts().await;
        assert_eq!(panics, 0, "{}", self.log_tail());
        let errors: Vec<String> =
            self.log().lines().filter(|line| line.contains(r#""ERROR""#)).take(5).map(str::to_owned).collect();
        assert!(errors.is_empty(), "the server logged errors: {errors:#?}");
    }
}
