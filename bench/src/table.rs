//! The result, to be read by people.

use crate::{
    figure::Figure,
    samples::{Samples, Summary},
    server::{Against, Kind},
};

/// How many times the CPU time of a delivered message limits may take.
const LIMITS: f64 = 1.03;

/// How many microseconds more connecting with a token may take.
const TOKEN: f64 = 60.0;

/// All figures that were taken, one a line.
pub(crate) fn of(samples: &Samples, against: Against) -> String {
    let [base, measured] = against.pair().map(Kind::name);
    let mut table = format!("{:<48} {base:>12} {measured:>11} {:>6} {:>11}  bound\n", "median", "ratio", "min–max");
    for figure in Figure::ALL {
        if let Some(summary) = samples.summary(figure) {
            table.push_str(&line(figure, &summary, against));
        }
    }
    if samples.summary(Figure::ConnectCpu).is_some() && samples.summary(Figure::ConnectedMemory).is_none() {
        table.push_str("memory: this system does not tell; it is measured on Linux only\n");
    }
    table
}

fn line(figure: Figure, summary: &Summary, against: Against) -> String {
    let Summary { raw, roomwire, ratio, least, most } = summary;
    let verdict = |holds| if holds { "ok" } else { "over" };
    let bound = match (against, figure) {
        (Against::Socketioxide, _) => {
            figure.bound().map(|bound| format!("≤ {bound} {}", verdict(*ratio <= bound))).unwrap_or_default()
        }
        (Against::NoTokens, Figure::ConnectCpu) => {
            format!("≤ {TOKEN} µs more {}", verdict(roomwire - raw <= TOKEN))
        }
        (Against::NoLimits, Figure::HallCpu | Figure::BurstCpu | Figure::RoomsCpu) => {
            format!("≤ {LIMITS} {}", verdict(*ratio <= LIMITS))
        }
        (Against::NoTokens | Against::NoLimits, _) => String::new(),
    };
    let range = format!("{least:.2}–{most:.2}");
    let line = format!("{:<48} {raw:>12.2} {roomwire:>11.2} {ratio:>6.3} {range:>11}  {bound}", figure.label());
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::{figure::Figure, samples::Samples, server::Against};

    #[test]
    fn a_figure_with_a_bound_says_whether_it_keeps_it() {
        let table = |roomwire| {
            let mut samples = Samples::default();
            samples.add(false, Figure::HallCpu, 10.0);
            samples.add(true, Figure::HallCpu, roomwire);
            of(&samples, Against::Socketioxide)
        };
        assert!(table(11.0).contains("≤ 1.1 ok"), "{}", table(11.0));
        assert!(table(11.1).contains("≤ 1.1 over"), "{}", table(11.1));
    }
}
