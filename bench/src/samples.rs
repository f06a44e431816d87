//! Figures of several rounds.

use std::collections::BTreeMap;

use crate::figure::Figure;

/// What was measured, in the order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<Figure, Pair>);

#[derive(Debug, Default)]
struct Pair {
    raw: Vec<f64>,
    roomwire: Vec<f64>,
}

/// One figure of both servers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// The medians.
    pub(crate) raw: f64,
    pub(crate) roomwire: f64,
    /// Roomwire's figure, divided by that of the plain library in the same round: the median.
    pub(crate) ratio: f64,
    /// The least and the most of it.
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Samples {
    /// Of Roomwire, or of what it is measured next to.
    pub(crate) fn add(&mut self, is_roomwire: bool, figure: Figure, value: f64) {
        let pair = self.0.entry(figure).or_default();
        if is_roomwire { pair.roomwire.push(value) } else { pair.raw.push(value) }
    }

    /// Nothing for a figure that was not taken.
    pub(crate) fn summary(&self, figure: Figure) -> Option<Summary> {
        let Pair { raw, roomwire } = self.0.get(&figure)?;
        let ratios: Vec<f64> = raw.iter().zip(roomwire).map(|(raw, roomwire)| roomwire / raw).collect();
        Some(Summary {
            raw: median(raw)?,
            roomwire: median(roomwire)?,
            ratio: median(&ratios)?,
            least: ratios.iter().copied().reduce(f64::min)?,
            most: ratios.iter().copied().reduce(f64::max)?,
        })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Samples, Summary, median};
    use crate::figure::Figure;

    #[test]
    fn a_median_stands_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let mut samples = Samples::default();
        for (raw, roomwire) in [(1.0, 2.0), (2.0, 2.0), (4.0, 5.0)] {
            samples.add(false, Figure::HallCpu, raw);
            samples.add(true, Figure::HallCpu, roomwire);
        }
        let summary = Summary { raw: 2.0, roomwire: 2.0, ratio: 1.25, least: 1.0, most: 2.0 };
        assert_eq!(samples.summary(Figure::HallCpu), Some(summary));
        assert_eq!(samples.summary(Figure::RoomsCpu), None);
    }
}
