//! The result, to be read by people.

use crate::{
    figure::Figure,
    samples::{Samples, Summary},
};

/// All figures that were taken, one a line.
pub(crate) fn of(samples: &Samples) -> String {
    let mut table =
        format!("{:<48} {:>12} {:>9} {:>6} {:>11}  bound\n", "median", "socketioxide", "Roomwire", "ratio", "min–max");
    for figure in Figure::ALL {
        if let Some(summary) = samples.summary(figure) {
            table.push_str(&line(figure, &summary));
        }
    }
    if samples.summary(Figure::ConnectCpu).is_some() && samples.summary(Figure::ConnectedMemory).is_none() {
        table.push_str("memory: this system does not tell; it is measured on Linux only\n");
    }
    table
}

fn line(figure: Figure, summary: &Summary) -> String {
    let Summary { raw, roomwire, ratio, least, most } = summary;
    let bound = figure.bound().map_or_else(String::new, |bound| {
        let verdict = if *ratio <= bound { "ok" } else { "over" };
        format!("≤ {bound} {verdict}")
    });
    let range = format!("{least:.2}–{most:.2}");
    let line = format!("{:<48} {raw:>12.2} {roomwire:>9.2} {ratio:>6.3} {range:>11}  {bound}", figure.label());
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::{figure::Figure, samples::Samples, server::Kind};

    #[test]
    fn a_figure_with_a_bound_says_whether_it_keeps_it() {
        let table = |roomwire| {
            let mut samples = Samples::default();
            samples.add(Kind::Raw, Figure::HallCpu, 10.0);
            samples.add(Kind::Roomwire, Figure::HallCpu, roomwire);
            of(&samples)
        };
        assert!(table(11.0).contains("≤ 1.1 ok"), "{}", table(11.0));
        assert!(table(11.1).contains("≤ 1.1 over"), "{}", table(11.1));
    }
}
