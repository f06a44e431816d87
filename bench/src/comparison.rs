//! All peers in turns, for several rounds.

use std::{process::ExitCode, time::Instant};

use anyhow::ensure;

use crate::{cli::CompareArgs, measurement, peer::Peer, peer_process, report, samples::Samples, workload::Workload};

/// The workloads of one round, and the peers that each is for.
type Plan = Vec<(Workload, Vec<Peer>)>;

/// Measures, prints progress on standard error, then prints the tables and writes the plots.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 9 });
    let plan = plan(args, &available(args));
    ensure!(!plan.is_empty(), "there is nothing to measure");
    if let Some(clients) = args.clients {
        eprintln!("with at most {clients} clients: these figures are not comparable with those of other runs");
    }
    let mut samples = Samples::default();
    let mut failures = Vec::new();
    let mut progress = Progress::start(rounds as usize * plan.iter().map(|(_, peers)| peers.len()).sum::<usize>());
    for round in 1..=rounds {
        for (workload, peers) in &plan {
            let mut extent = workload.extent(args.quick);
            if let Some(clients) = args.clients {
                extent = extent.limited_to(clients as usize);
            }
            for peer in in_turn(peers, round) {
                let what = format!("round {round} of {rounds}: {workload}, {}", peer.name());
                progress.next(&what);
                match runtime.block_on(measurement::take(peer, *workload, extent)) {
                    Ok(figures) => {
                        figures.into_iter().for_each(|(figure, value)| samples.add(figure, peer, round, value));
                    }
                    Err(error) => {
                        eprintln!("  failed: {error:#}");
                        failures.push(format!("{what}: {error:#}"));
                    }
                }
            }
        }
    }
    report::publish(&samples, args.quick, &failures, &args.output)
}

/// The peers that are asked for and can be measured here. Says why others cannot.
fn available(args: &CompareArgs) -> Vec<Peer> {
    let wanted = |peer: &Peer| {
        let by_default = peer.is_default() && !(args.quick && peer.script().is_some());
        if args.peer.is_empty() { by_default } else { args.peer.contains(peer) }
    };
    let is_there = |peer: &Peer| match peer_process::missing(*peer) {
        Some(reason) => {
            eprintln!("skipped: {}: {reason}", peer.name());
            false
        }
        None => true,
    };
    Peer::ALL.into_iter().filter(wanted).filter(is_there).collect()
}

fn plan(args: &CompareArgs, peers: &[Peer]) -> Plan {
    let named = !(args.only.is_empty() && args.peer.is_empty());
    let workloads = Workload::ALL.into_iter().filter(|workload| args.only.is_empty() || args.only.contains(workload));
    let suiting = |workload: Workload| {
        let suits = |peer: &Peer| workload.suits(*peer) && (named || !args.quick || workload.is_quick(*peer));
        (workload, peers.iter().copied().filter(suits).collect::<Vec<_>>())
    };
    workloads.map(suiting).filter(|(_, peers)| !peers.is_empty()).collect()
}

/// Each round begins with another peer, because a later one may find the machine warmer.
fn in_turn(peers: &[Peer], round: u32) -> Vec<Peer> {
    let mut peers = peers.to_vec();
    let first = round as usize % peers.len();
    peers.rotate_left(first);
    peers
}

/// How far the run is.
struct Progress {
    started: Instant,
    done: usize,
    total: usize,
}

impl Progress {
    fn start(total: usize) -> Self {
        Self { started: Instant::now(), done: 0, total }
    }

    /// Says what begins, and how long the rest takes at the pace so far.
    fn next(&mut self, what: &str) {
        let rest = (self.total - self.done) as f64 / self.done as f64 * self.started.elapsed().as_secs_f64() / 60.0;
        let rest = if self.done < 5 { String::new() } else { format!(" (about {} min left)", rest.ceil()) };
        self.done += 1;
        eprintln!("[{}/{}] {what}{rest}", self.done, self.total);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{in_turn, plan};
    use crate::{cli::Cli, peer::Peer, workload::Workload};

    fn planned(arguments: &[&str], peers: &[Peer]) -> Vec<(Workload, Vec<Peer>)> {
        plan(&Cli::parse_from([&["bench"], arguments].concat()).compare, peers)
    }

    #[test]
    fn a_node_elsewhere_needs_redis() {
        let plan = planned(&["--only", "elsewhere"], &[Peer::Roomwire, Peer::RoomwireRedis]);
        assert_eq!(plan, [(Workload::Elsewhere, vec![Peer::RoomwireRedis])]);
        assert!(planned(&["--only", "elsewhere"], &[Peer::Roomwire]).is_empty());
    }

    #[test]
    fn a_quick_run_measures_redis_once() {
        let plan = planned(&["--quick"], &[Peer::Roomwire, Peer::RoomwireRedis, Peer::Nestjs]);
        let with_redis: Vec<_> = plan.iter().filter(|(_, peers)| peers.contains(&Peer::RoomwireRedis)).collect();
        assert_eq!(with_redis, [&(Workload::Rooms, vec![Peer::Roomwire, Peer::RoomwireRedis])]);
    }

    #[test]
    fn the_first_peer_changes_from_round_to_round() {
        let peers = [Peer::Roomwire, Peer::Socketioxide];
        assert_eq!(in_turn(&peers, 1), [Peer::Socketioxide, Peer::Roomwire]);
        assert_eq!(in_turn(&peers, 2), peers);
    }
}
