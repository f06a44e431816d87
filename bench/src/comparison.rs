//! Both servers in turns, for several rounds.

use crate::{
    cli::CompareArgs,
    figure::Scenario,
    measurement::{self, Extent},
    samples::Samples,
    server::Kind,
    table,
};

/// Measures, says on standard error how far it got, and prints the table.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = args.rounds.unwrap_or(if args.quick { 2 } else { 7 });
    let scenarios = if args.only.is_empty() { &Scenario::ALL[..] } else { &args.only };
    let samples = runtime.block_on(async {
        let mut samples = Samples::default();
        for round in 1..=rounds {
            for &scenario in scenarios {
                for kind in in_turn(round) {
                    eprintln!("round {round} of {rounds}: {scenario:?}, {}", kind.name());
                    for (figure, value) in measurement::take(kind, scenario, extent(scenario, args)).await? {
                        samples.add(kind, figure, value);
                    }
                }
            }
        }
        anyhow::Ok(samples)
    })?;
    print!("{}", table::of(&samples));
    Ok(())
}

/// Who comes second may find the machine warmer than who came first.
fn in_turn(round: u32) -> [Kind; 2] {
    let [first, second] = Kind::BOTH;
    if round.is_multiple_of(2) { [second, first] } else { [first, second] }
}

fn extent(scenario: Scenario, args: &CompareArgs) -> Extent {
    let in_flight = args.in_flight as usize;
    let (messages, rooms, members, clients) = if args.quick { (300, 50, 10, 1000) } else { (600, 50, 10, 2000) };
    match scenario {
        Scenario::Hall => Extent { messages, rooms: 1, members: rooms * members, in_flight },
        Scenario::Rooms => Extent { messages, rooms, members, in_flight },
        Scenario::Idle => Extent { messages: 0, rooms: clients / members, members, in_flight },
    }
}
