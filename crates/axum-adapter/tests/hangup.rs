//! SIGHUP of a real process reloads its configuration, and never ends it.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use axum::Router;
use roomwire_axum_adapter::serve;
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// With it, the configuration is written in code.
const IN_CODE: &str = "ROOMWIRE_E2E_IN_CODE";

#[tokio::test]
#[ignore = "started by the other tests, as the process that gets the signal"]
async fn server() {
    let config = match std::env::var_os(IN_CODE) {
        Some(_) => WebSocketConfig { port: 0, ..WebSocketConfig::default() },
        None => WebSocketConfig::load().expect("valid"),
    };
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    serve(Router::new(), service, Gateway::new()).await.expect("runs");
}

/// Killed when it is dropped.
struct Server {
    child: Child,
    log: Receiver<String>,
    address: String,
}

impl Server {
    fn start(file: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "server", "--ignored", "--nocapture"])
            .env("ROOMWIRE_CONFIG", file)
            .env_remove("RUST_LOG")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (sends, log) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sends.send(line)));
        let mut server = Self { child, log, address: String::new() };
        let line = server.line_with("listening on http://");
        let (_, rest) = line.split_once("http://").expect("an address");
        rest.split('/').next().expect("an address").clone_into(&mut server.address);
        server
    }

    fn line_with(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error}: no line with {words:?} in\n{}", seen.join("\n")),
            }
        }
    }

    fn hang_up(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::HUP).expect("runs");
    }

    fn open_packet(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        let request =
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("chat.toml")
}

#[test]
fn a_hangup_applies_the_file_and_a_broken_file_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |text: &str| std::fs::write(file(&directory), text).expect("written");
    write("port = 0\n");
    // A variable overrides the file also when both are read again.
    let server = Server::start(&file(&directory), &[("ROOMWIRE_PING_TIMEOUT", "4321")]);
    assert!(server.open_packet().contains(r#""pingInterval":25000,"pingTimeout":4321"#));

    write("port = 1\npingInterval = 12345\npingTimeout = 1000\n[logger]\nlevel = \"debug\"\n");
    server.hang_up();
    let line = server.line_with("the configuration was reloaded");
    assert!(line.contains(r#"applied="pingInterval, logger.level" needs_restart="port""#), "{line}");
    assert!(server.open_packet().contains(r#""pingInterval":12345,"pingTimeout":4321"#));

    write("pingInterval = \"often\"\n");
    server.hang_up();
    let line = server.line_with("WARN");
    assert!(line.contains("the configuration stays as it is"), "{line}");
    server.line_with("pingInterval");
    assert!(server.open_packet().contains(r#""pingInterval":12345"#));
}

#[test]
fn a_hangup_of_a_process_whose_configuration_is_written_in_code_is_a_warning() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&file(&directory), &[(IN_CODE, "1")]);
    server.hang_up();
    let line = server.line_with("WARN");
    assert!(line.contains("there is nothing to read again"), "{line}");
    assert!(server.open_packet().contains("pingInterval"), "it still serves");
}
