//! The result: tables for people, plots, and all samples.

use std::{fmt::Write, fs, path::Path, process::ExitCode};

use anyhow::Context;

use crate::{
    figure::Figure,
    peer::Peer,
    plot::{self, Bar},
    ratio::Ratio,
    samples::{Samples, Summary},
};

/// Writes everything to the folder and prints the tables. Fails for failed measurements and, in a quick run, for ratios
/// beyond the wide bounds.
pub(crate) fn publish(samples: &Samples, quick: bool, failures: &[String], folder: &Path) -> anyhow::Result<ExitCode> {
    let tables = format!("{}\n{}", figures(samples), ratios(samples, quick));
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).with_context(|| format!("{name} cannot be written"))
    };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    write("figures.md", &tables)?;
    write("samples.json", &format!("{:#}\n", samples.to_json()))?;
    for figure in Figure::ALL {
        let bars = bars(samples, figure);
        if !bars.is_empty() {
            write(&format!("{}.svg", figure.file_name()), &plot::draw(figure.label(), &bars))?;
        }
    }
    println!("{tables}");
    println!("figures.md, samples.json and the plots are in {}", folder.display());
    for failure in failures {
        println!("failed: {failure}");
    }
    let above = if quick { above_bounds(samples) } else { Vec::new() };
    for above in &above {
        println!("failed: {above}");
    }
    Ok(if failures.is_empty() && above.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bars(samples: &Samples, figure: Figure) -> Vec<Bar> {
    let bar = |peer: Peer| Some(Bar { name: peer.name(), summary: samples.summary(figure, peer)? });
    Peer::ALL.into_iter().filter_map(bar).collect()
}

/// One line for each figure of each peer.
fn figures(samples: &Samples) -> String {
    let mut table = header(["figure", "server"], ["median", "min–max", "rounds"]);
    for figure in Figure::ALL {
        for Bar { name, summary } in bars(samples, figure) {
            let Summary { median, least, most, rounds } = summary;
            let range = format!("{least:.2}–{most:.2}");
            row(&mut table, [figure.label(), name], [&format!("{median:.2}"), &range, &rounds.to_string()]);
        }
    }
    table
}

/// One line for each ratio of each figure.
fn ratios(samples: &Samples, quick: bool) -> String {
    let mut table = header(["figure", "ratio"], ["median", "min–max", "bound"]);
    for figure in Figure::ALL {
        for ratio in Ratio::ALL.into_iter().filter(|ratio| ratio.is_shown(figure)) {
            let Some(Summary { median, least, most, .. }) = samples.ratio(figure, ratio) else { continue };
            let bound = if quick { ratio.quick_bound(figure) } else { ratio.bound(figure) };
            let verdict = bound.and_then(|bound| {
                let verdict = if samples.keeps(figure, ratio, bound)? { "ok" } else { "above" };
                Some(format!("{} {verdict}", bound.label()))
            });
            let name = format!("{} ÷ {}", ratio.measured.name(), ratio.reference.name());
            let range = format!("{least:.2}–{most:.2}");
            row(&mut table, [figure.label(), &name], [&format!("{median:.3}"), &range, &verdict.unwrap_or_default()]);
        }
    }
    table
}

/// The ratios that fail a quick run.
fn above_bounds(samples: &Samples) -> Vec<String> {
    let mut above = Vec::new();
    for (figure, ratio) in Figure::ALL.into_iter().flat_map(|figure| Ratio::ALL.map(|ratio| (figure, ratio))) {
        let Some(bound) = ratio.quick_bound(figure).filter(|_| ratio.is_shown(figure)) else { continue };
        if samples.keeps(figure, ratio, bound) == Some(false) {
            let names = format!("{} ÷ {}", ratio.measured.name(), ratio.reference.name());
            above.push(format!("{}: {names} must be {}", figure.label(), bound.label()));
        }
    }
    above
}

/// The head of a table in Markdown that is also legible as plain text.
fn header(left: [&str; 2], right: [&str; 3]) -> String {
    let mut table = String::new();
    row(&mut table, left, right);
    let [first, second] = WIDTHS.map(|width| "-".repeat(width));
    let [third, fourth, fifth] = NUMBERS.map(|width| format!("{}:", "-".repeat(width - 1)));
    row(&mut table, [&first, &second], [&third, &fourth, &fifth]);
    table
}

const WIDTHS: [usize; 2] = [60, 42];
const NUMBERS: [usize; 3] = [8, 15, 16];

fn row(table: &mut String, [first, second]: [&str; 2], [third, fourth, fifth]: [&str; 3]) {
    let [a, b] = WIDTHS;
    let [c, d, e] = NUMBERS;
    writeln!(table, "| {first:<a$} | {second:<b$} | {third:>c$} | {fourth:>d$} | {fifth:>e$} |")
        .unwrap_or_else(|error| unreachable!("a string takes everything: {error}"));
}

#[cfg(test)]
mod tests {
    use super::{above_bounds, ratios};
    use crate::{figure::Figure, peer::Peer, samples::Samples};

    fn samples(roomwire: f64) -> Samples {
        let mut samples = Samples::default();
        samples.add(Figure::RoomCpu, Peer::Socketioxide, 1, 10.0);
        samples.add(Figure::RoomCpu, Peer::Roomwire, 1, roomwire);
        samples
    }

    #[test]
    fn a_ratio_with_a_bound_has_a_verdict() {
        assert!(ratios(&samples(9.0), false).contains("≤ 0.9 ok"));
        assert!(ratios(&samples(9.1), false).contains("≤ 0.9 above"));
    }

    #[test]
    fn only_a_wide_margin_fails_a_quick_run() {
        assert!(above_bounds(&samples(19.0)).is_empty());
        assert_eq!(
            above_bounds(&samples(21.0)),
            ["CPU per delivered message, one room of 500 [µs]: Roomwire ÷ socketioxide must be ≤ 2"]
        );
    }
}
