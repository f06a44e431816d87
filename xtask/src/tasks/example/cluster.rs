//! `cargo xtask example chat --nodes N`: several chats behind nginx, as one cluster in Redis.

use std::cell::{OnceCell, RefCell};
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tempfile::TempDir;

use super::processes::{Next, Processes};
use super::{built, nginx, node, ports};
use crate::cli::ExampleArgs;
use crate::session::Session;
use crate::steps::{Outcome, Stage, Step, run_all};
use crate::tools::{NGINX, REDIS};

const REDIS_NAME: &str = "redis";
const NGINX_NAME: &str = "nginx";

/// Everything that was started, and where it is.
#[derive(Debug)]
struct Cluster<'a> {
    session: &'a Session,
    example: &'a ExampleArgs,
    front: SocketAddr,
    redis: Option<Redis>,
    nodes: Vec<Node>,
    processes: Processes<'a>,
    /// What nginx and Redis write. Removed after they have ended: fields are dropped in this order.
    folder: TempDir,
}

/// A Redis of this cluster's own.
#[derive(Debug)]
struct Redis {
    url: String,
    id: u32,
}

#[derive(Debug)]
struct Node {
    name: String,
    address: SocketAddr,
    id: u32,
}

/// Starts the cluster, watches it and stops it when a signal comes.
pub(super) fn run(session: &Session, example: &ExampleArgs, nodes: u8) -> anyhow::Result<ExitCode> {
    let cluster = RefCell::new(Cluster::new(session, example)?);
    let program = OnceCell::<PathBuf>::new();
    let repeat = format!("cargo xtask example chat --nodes {nodes}");
    let mut tools = vec![&NGINX];
    if example.redis.is_none() {
        tools.push(&REDIS);
    }
    let mut steps = built::steps(example, "example-chat", &tools, &repeat, &program);
    let mut needs = built::BUILD;
    if example.redis.is_none() {
        steps.push(Step::new("start redis", &repeat, |stage| cluster.borrow_mut().start_redis(stage)).needs(&[needs]));
        needs = "start redis";
    }
    let start = Step::new("start nodes", &repeat, |stage| {
        let program = program.get().context("the build gave no program")?;
        cluster.borrow_mut().start_nodes(stage, program, nodes)
    });
    steps.push(start.needs(&[needs]));
    let start = Step::new("start nginx", &repeat, |stage| cluster.borrow_mut().start_nginx(stage));
    steps.push(start.needs(&["start nodes"]));

    let report = run_all(session, steps);
    let mut cluster = cluster.into_inner();
    if !report.succeeded() {
        cluster.processes.stop();
        eprint!("{report}");
        return Ok(report.exit_code());
    }
    cluster.announce();
    let went_well = cluster.watch()?;
    eprintln!("stopping, in reverse order");
    let ended_well = cluster.processes.stop();
    Ok(if went_well && ended_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl<'a> Cluster<'a> {
    fn new(session: &'a Session, example: &'a ExampleArgs) -> anyhow::Result<Self> {
        // The workers of an nginx that root has started run as another user, and must reach the files.
        let folder = tempfile::Builder::new()
            .prefix("roomwire-cluster-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .context("no temporary folder can be made")?;
        let (front, processes) = (ports::wanted()?, Processes::new(session));
        Ok(Self { session, example, front, redis: None, nodes: Vec::new(), processes, folder })
    }

    /// A Redis that listens here only and keeps nothing.
    fn start_redis(&mut self, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
        let [address] = ports::free()?;
        let mut command = self.session.command(REDIS.path()?);
        command
            .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir"])
            .arg(self.folder.path());
        let id = self.processes.start(REDIS_NAME, &mut command, stage)?;
        self.redis = Some(Redis { url: format!("redis://{address}"), id });
        self.processes.until_answered(&[address])?;
        Ok(Outcome::Done)
    }

    fn start_nodes(&mut self, stage: &Stage<'_>, program: &Path, count: u8) -> anyhow::Result<Outcome> {
        for (number, address) in (1..).zip(ports::free_ones(count.into())?) {
            let name = match self.redis {
                Some(_) => format!("node-{number}"),
                // Others may be on that Redis, too.
                None => node::name(address.port()),
            };
            let mut command = node::command(self.session, program, &name, address, self.redis_url()?);
            // Also if one is chosen for a single chat: nodes cannot share it.
            ports::give_operations_port(&mut command)?;
            if self.redis.is_some() {
                // Those are for another Redis.
                for key in ["USERNAME", "PASSWORD", "DATABASE"] {
                    command.env_remove(format!("ROOMWIRE_STATE__{key}"));
                }
            }
            let id = self.processes.start(&name, command.args(&self.example.args), stage)?;
            self.nodes.push(Node { name, address, id });
        }
        self.processes.until_answered(&self.addresses())?;
        Ok(Outcome::Done)
    }

    fn start_nginx(&mut self, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
        let mut command = nginx::command(self.session, self.folder.path(), self.front, &self.addresses())?;
        self.processes.start(NGINX_NAME, &mut command, stage)?;
        self.processes.until_answered(&[ports::reachable(self.front)])?;
        Ok(Outcome::Done)
    }

    fn redis_url(&self) -> anyhow::Result<&str> {
        let given = self.example.redis.as_deref();
        given.or(self.redis.as_ref().map(|redis| redis.url.as_str())).context("no Redis was started")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    fn announce(&self) {
        eprintln!("\nchat: http://{} (Ctrl-C stops it)\n", ports::reachable(self.front));
        let width = self.nodes.iter().map(|node| node.name.len()).max().unwrap_or_default();
        for Node { name, id, .. } in &self.nodes {
            eprintln!("  {name:width$}  kill -9 {id}");
        }
        match &self.redis {
            Some(Redis { url, id }) => eprintln!("  {REDIS_NAME:width$}  {url}, process {id}\n"),
            None => eprintln!(),
        }
    }

    /// Goes on until it is to stop, or until what is left is of no use. Says whether the former was the case.
    fn watch(&mut self) -> anyhow::Result<bool> {
        loop {
            let Next::Gone { name, how } = self.processes.next()? else { return Ok(true) };
            self.nodes.retain(|node| node.name != name);
            match (name.as_str(), self.nodes.len()) {
                (NGINX_NAME, _) => {
                    eprintln!("{name} {how}, and nobody reaches the nodes without it");
                    return Ok(false);
                }
                (REDIS_NAME, _) => eprintln!("{name} {how}; the nodes go on, each by itself"),
                (_, 0) => {
                    eprintln!("{name} {how}, and it was the last node");
                    return Ok(false);
                }
                (_, 1) => eprintln!("{name} {how}; its clients come back on the one that is left"),
                (_, left) => eprintln!("{name} {how}; its clients come back on the {left} that are left"),
            }
        }
    }
}
