//! The figures of all rounds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    figure::Figure,
    peer::Peer,
    ratio::{Bound, Ratio},
};

/// The value of each round, by figure and peer. A round whose measurement failed has none.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(Figure, Peer), BTreeMap<u32, f64>>);

/// A median and its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) rounds: usize,
}

impl Samples {
    pub(crate) fn add(&mut self, figure: Figure, peer: Peer, round: u32, value: f64) {
        self.0.entry((figure, peer)).or_default().insert(round, value);
    }

    /// `None` for a figure that was not measured.
    pub(crate) fn summary(&self, figure: Figure, peer: Peer) -> Option<Summary> {
        summarize(self.0.get(&(figure, peer))?.values().copied().collect())
    }

    /// The ratio within each round, summarized.
    pub(crate) fn ratio(&self, figure: Figure, ratio: Ratio) -> Option<Summary> {
        let measured = self.0.get(&(figure, ratio.measured))?;
        let reference = self.0.get(&(figure, ratio.reference))?;
        let both = |(round, value): (&u32, &f64)| Some(value / reference.get(round)?);
        summarize(measured.iter().filter_map(both).collect())
    }

    /// True if the medians keep the bound.
    pub(crate) fn keeps(&self, figure: Figure, ratio: Ratio, bound: Bound) -> Option<bool> {
        Some(match bound {
            Bound::Times(times) => self.ratio(figure, ratio)?.median <= times,
            Bound::MoreMicroseconds(more) => {
                let [measured, reference] = [ratio.measured, ratio.reference].map(|peer| self.summary(figure, peer));
                measured?.median - reference?.median <= more
            }
        })
    }

    /// The value of each round, for other evaluations.
    pub(crate) fn to_json(&self) -> Value {
        let rows = self.0.iter().map(|((figure, peer), rounds)| {
            json!({ "figure": figure.file_name(), "label": figure.label(), "peer": peer.argument(), "rounds": rounds })
        });
        rows.collect()
    }
}

fn summarize(mut values: Vec<f64>) -> Option<Summary> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = match values.len() {
        0 => return None,
        even if even.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    };
    Some(Summary { median, least: *values.first()?, most: *values.last()?, rounds: values.len() })
}

#[cfg(test)]
mod tests {
    use super::{Samples, Summary, summarize};
    use crate::{figure::Figure, peer::Peer, ratio::Ratio};

    #[test]
    fn a_median_stands_in_the_middle() {
        let median = |values: &[f64]| summarize(values.to_vec()).map(|summary| summary.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_is_taken_within_each_round_that_has_both() {
        let mut samples = Samples::default();
        for (round, (roomwire, raw)) in (1..).zip([(2.0, 1.0), (2.0, 2.0), (5.0, 4.0)]) {
            samples.add(Figure::RoomCpu, Peer::Socketioxide, round, raw);
            samples.add(Figure::RoomCpu, Peer::Roomwire, round, roomwire);
        }
        samples.add(Figure::RoomCpu, Peer::Roomwire, 4, 100.0);
        let ratio = Ratio { measured: Peer::Roomwire, reference: Peer::Socketioxide };
        let summary = Summary { median: 1.25, least: 1.0, most: 2.0, rounds: 3 };
        assert_eq!(samples.ratio(Figure::RoomCpu, ratio), Some(summary));
        assert_eq!(samples.ratio(Figure::RoomsCpu, ratio), None);
    }
}
