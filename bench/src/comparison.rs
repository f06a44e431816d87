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
    let pair = args.against.pair();
    let rounds = args.rounds.unwrap_or(if args.quick { 2 } else { 12 });
    let samples = runtime.block_on(async {
        let mut samples = Samples::default();
        for round in 1..=rounds {
            for scenario in scenarios(round, &args.only) {
                for kind in in_turn(pair, round) {
                    eprintln!("round {round} of {rounds}: {scenario}, {}", kind.name());
                    for (figure, value) in measurement::take(kind, scenario, extent(scenario, args.quick)).await? {
                        samples.add(kind == pair[1], figure, value);
                    }
                }
            }
        }
        anyhow::Ok(samples)
    })?;
    print!("{}", table::of(&samples, args.against));
    Ok(())
}

/// The second may find the machine warmer than the first.
fn in_turn([first, second]: [Kind; 2], round: u32) -> [Kind; 2] {
    if round.is_multiple_of(2) { [second, first] } else { [first, second] }
}

/// Memory hardly differs from round to round, and takes longest.
fn scenarios(round: u32, only: &[Scenario]) -> impl Iterator<Item = Scenario> {
    let by_itself = move |scenario: &Scenario| only.is_empty() && *scenario != Scenario::Redis;
    let wanted = Scenario::ALL.into_iter().filter(move |scenario| by_itself(scenario) || only.contains(scenario));
    wanted.filter(move |scenario| *scenario != Scenario::Idle || round % 4 == 1)
}

fn extent(scenario: Scenario, quick: bool) -> Extent {
    let (messages, clients) = if quick { (150, 1000) } else { (200, 2000) };
    let hall = Extent { messages, rooms: 1, members: 500, in_flight: 1 };
    match scenario {
        Scenario::Hall => hall,
        Scenario::Burst => Extent { in_flight: 4, ..hall },
        Scenario::Rooms => Extent { rooms: 50, members: 10, ..hall },
        Scenario::Idle | Scenario::Redis => Extent { messages: 0, rooms: clients / 10, members: 10, ..hall },
    }
}
