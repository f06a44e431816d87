//! A node in a process of its own.

use std::{
    collections::HashMap,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Ledger,
    control::{Asked, Broadcasts, Holdings, Line, Order},
};

/// How long a node may take to start, or to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a node is started.
#[derive(Clone, Debug, Default)]
pub struct NodeSettings {
    /// Its name in the cluster.
    pub name: String,
    /// Where Redis is.
    pub urls: Vec<String>,
    /// More variables of its process.
    pub variables: Vec<(String, String)>,
    /// How many files its process may open, when that is not as many as this process.
    pub open_files: Option<u32>,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>>;

/// A running node. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    name: String,
    address: SocketAddr,
    process: Mutex<Child>,
    pid: Pid,
    input: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
    questions: AtomicU64,
    listens: Mutex<Option<JoinHandle<()>>>,
    log: PathBuf,
}

impl Node {
    /// Starts a node and waits until it serves clients. Its events go to the ledger, its log to the folder.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(program: &Path, folder: &Path, ledger: &Ledger, settings: &NodeSettings) -> Self {
        let NodeSettings { name, urls, variables, open_files } = settings;
        let log = folder.join(format!("{name}.log"));
        let lines = File::options().create(true).append(true).open(&log).unwrap_or_else(|error| panic!("{error}"));
        let mut command = match open_files {
            None => Command::new(program),
            Some(limit) => {
                // Sets the hard limit too. The shell becomes the program, and keeps its number.
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\"")]).arg(program);
                shell
            }
        };
        let process = command
            .env("ROOMWIRE_NODE_ID", name)
            .env("ROOMWIRE_PORT", "0")
            .env("ROOMWIRE_MAX_CONNECTIONS", "4000")
            // All clients come from one address, and some come back all the time.
            .env("ROOMWIRE_LIMITS__CONNECTIONS_PER_ADDRESS", "4000")
            .env("ROOMWIRE_LIMITS__RECONNECTS_PER_SECOND", "100000")
            .env("ROOMWIRE_LIMITS__RECONNECT_BURST", "100000")
            .env("ROOMWIRE_STATE__URLS", urls.join(","))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(lines)
            .kill_on_drop(true)
            .spawn();
        let mut process = process.unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()));
        let (Some(input), Some(output), Some(pid)) = (process.stdin.take(), process.stdout.take(), process.id()) else {
            panic!("a process without input and output")
        };
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let waiting = Waiting::default();
        let (listening, port) = oneshot::channel();
        let listens = tokio::spawn(listen(output, name.clone(), ledger.clone(), waiting.clone(), listening));
        let port = match timeout(PATIENCE, port).await {
            Ok(Ok(port)) => port,
            _ => panic!("{name} did not start: {}", fs::read_to_string(&log).unwrap_or_default()),
        };
        Self {
            name: name.clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            process: Mutex::new(process),
            pid: pid.unwrap_or_else(|| panic!("{name} ended at once")),
            input: tokio::sync::Mutex::new(input),
            waiting,
            questions: AtomicU64::new(0),
            listens: Mutex::new(Some(listens)),
            log,
        }
    }

    /// Its name in the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it (`SIGKILL`). When this returns it is gone, and all that it told is in the ledger.
    pub async fn kill(&self) {
        self.signal(Signal::KILL);
        let listens = self.listens.lock().take();
        if let Some(listens) = listens {
            // It ends with the process; a panic of it is none of ours.
            let _ = listens.await;
        }
    }

    /// Stops it in good order. When this returns it is gone, and all that it told is in the ledger.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&self) {
        let () = self.ask(Order::Stop).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let listens = self.listens.lock().take();
        if let Some(listens) = listens
            && timeout(PATIENCE, listens).await.is_err()
        {
            panic!("{} does not end{}", self.name, self.log_tail());
        }
    }

    /// Kills it without waiting for anything.
    pub fn kill_at_once(&self) {
        self.signal(Signal::KILL);
    }

    /// Stops it where it is (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (`SIGCONT`).
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// What it answers to an order, or the code of the error.
    ///
    /// # Errors
    /// When the service refuses.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn ask<T: DeserializeOwned>(&self, order: Order) -> Result<T, String> {
        let question = self.questions.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(question, sender);
        let mut line = serde_json::to_vec(&Asked { question, order }).unwrap_or_else(|error| panic!("{error}"));
        line.push(b'\n');
        if let Err(error) = self.input.lock().await.write_all(&line).await {
            panic!("{} hears nothing: {error}{}", self.name, self.log_tail());
        }
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => {
                Ok(Order::read(answer?).unwrap_or_else(|error| panic!("{} answers nonsense: {error}", self.name)))
            }
            _ => panic!("{} does not answer{}", self.name, self.log_tail()),
        }
    }

    /// Which clients it holds.
    pub async fn holdings(&self) -> Holdings {
        self.ask(Order::Hold).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Sends one message to each of the rooms.
    pub async fn broadcast(&self, rooms: &[String], event: &str, number: u64) -> Broadcasts {
        let order = Order::Broadcast { rooms: rooms.to_vec(), event: event.to_owned(), number };
        self.ask(order).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// How much CPU time it has used, as far as the system tells: on Linux.
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        let tasks = fs::read_dir(self.proc_path("task")).ok()?;
        let nanoseconds = tasks.flatten().filter_map(|task| {
            let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
            times.split_whitespace().next()?.parse::<u64>().ok()
        });
        Some(Duration::from_nanos(nanoseconds.sum()))
    }

    /// The memory that is in use, in bytes.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(self.proc_path("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or_else(|| panic!("the memory of {} is unknown", self.name)) * 1024
    }

    /// The number of open files.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let files = fs::read_dir(self.proc_path("fd"));
        files.unwrap_or_else(|error| panic!("the open files of {}: {error}", self.name)).count()
    }

    fn proc_path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid.as_raw_nonzero()))
    }

    /// What it and all nodes of its name before it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log, for failure reports.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("\n  log of {}:\n    {}", self.name, lines[lines.len().saturating_sub(12)..].join("\n    "))
    }

    fn signal(&self, signal: Signal) {
        // A process that was waited for already has another's number, or none.
        let mut process = self.process.lock();
        if matches!(process.try_wait(), Ok(None)) {
            kill_process(self.pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
    }
}

/// Reads what a node says until it ends.
async fn listen(output: ChildStdout, name: String, ledger: Ledger, waiting: Waiting, listening: oneshot::Sender<u16>) {
    let mut listening = Some(listening);
    let mut lines = BufReader::with_capacity(1 << 16, output).lines();
    let mut due = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Line::Listening { port }) => {
                if let Some(listening) = listening.take() {
                    // The caller is gone if it took too long.
                    let _ = listening.send(port);
                }
            }
            Ok(Line::Answer { question, answer }) => {
                if let Some(sender) = waiting.lock().remove(&question) {
                    let _ = sender.send(answer);
                }
            }
            Ok(Line::Happened { number, what }) => {
                assert_eq!(number, due, "an event of {name} was lost on the way");
                due += 1;
                ledger.add(&name, what);
            }
            // A killed node may end within a line.
            Err(_) => {}
        }
    }
    waiting.lock().clear();
}
