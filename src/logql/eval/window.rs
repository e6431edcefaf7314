//! What is in the window of one series as it moves on.
//!
//! Slots come in at one end and are dropped at the other, and at every step the whole is asked for. To add up all slots at
//! every step would take too long for long windows and short steps. So the older slots are kept with the sum of
//! everything from them up to the newer ones, and the newer ones with one sum of all. When the older ones are used up,
//! the newer ones take their place: each slot is added up twice, whatever the window's length.

use std::collections::VecDeque;

use crate::logql::eval::accumulator::{Accumulator, Statistic};
use crate::logql::eval::grid::Slot;

/// What is asked of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Summary {
    /// What parts can be put together for.
    Of(Statistic),
    /// The value at this rank, from 0 to 1, linear between the two next to it. Takes every value.
    Quantile(f64),
}

/// What several values of one series in one slot come to.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Sum(Accumulator),
    Values(Vec<f64>),
}

impl Cell {
    pub(super) fn new(summary: Summary, value: f64, time_ns: i64) -> Self {
        match summary {
            Summary::Of(statistic) => Self::Sum(Accumulator::new(statistic, value, time_ns)),
            Summary::Quantile(_) => Self::Values(vec![value]),
        }
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: f64, time_ns: i64) {
        match self {
            Self::Sum(sum) => sum.add(value, time_ns),
            Self::Values(values) => values.push(value),
        }
    }

    /// Adds what other values of the series in the same slot come to.
    pub(super) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Sum(sum), Self::Sum(other)) => sum.merge(&other),
            (Self::Values(values), Self::Values(other)) => values.extend(other),
            _ => unreachable!("cells of one query are of one kind"),
        }
    }

    /// What values that are kept one by one take in memory, in bytes; twice of what is used, because vectors grow by
    /// doubling.
    pub(super) fn byte_count(&self) -> usize {
        if let Self::Values(values) = self { 2 * size_of_val(values.as_slice()) } else { 0 }
    }
}

/// The window of one series; nothing in it at first.
#[derive(Debug)]
pub(super) enum Window {
    Sums(Sums),
    /// By time.
    Values(VecDeque<(Slot, f64)>),
}

impl Window {
    pub(super) fn new(summary: Summary) -> Self {
        match summary {
            Summary::Of(_) => Self::Sums(Sums::default()),
            Summary::Quantile(_) => Self::Values(VecDeque::new()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Sums(sums) => sums.older.is_empty() && sums.newer.is_empty(),
            Self::Values(values) => values.is_empty(),
        }
    }

    /// What is in it takes in memory, in bytes; twice of what is used, because vectors grow by doubling.
    pub(super) fn byte_count(&self) -> usize {
        match self {
            Self::Sums(sums) => 2 * (sums.older.len() + sums.newer.len()) * size_of::<(Slot, Accumulator)>(),
            Self::Values(values) => 2 * values.len() * size_of::<(Slot, f64)>(),
        }
    }

    /// Adds what is not earlier than what there is.
    pub(super) fn add(&mut self, slot: Slot, cell: Cell) {
        match (self, cell) {
            (Self::Sums(sums), Cell::Sum(sum)) => sums.add(slot, sum),
            (Self::Values(kept), Cell::Values(values)) => kept.extend(values.into_iter().map(|value| (slot, value))),
            _ => unreachable!("a window takes the cells of its query"),
        }
    }

    /// Drops the slots before `first`.
    pub(super) fn drop_before(&mut self, first: Slot) {
        match self {
            Self::Sums(sums) => sums.drop_before(first),
            Self::Values(values) => values.drain(..values.partition_point(|(slot, _)| *slot < first)).for_each(drop),
        }
    }

    /// The summary of what is there, which is something, for a window of `range_ns` that ends at `end_ns`.
    pub(super) fn result(&self, summary: Summary, end_ns: i64, range_ns: i64) -> f64 {
        match (self, summary) {
            (Self::Sums(sums), Summary::Of(statistic)) => sums.total().result(statistic, end_ns, range_ns),
            (Self::Values(values), Summary::Quantile(rank)) => {
                quantile(rank, &mut values.iter().map(|(_, value)| *value).collect::<Vec<_>>())
            }
            _ => unreachable!("a window is asked for the summary that it was made for"),
        }
    }
}

/// Slots that are added up.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The newest first, each with the sum of itself and those before it in the list.
    older: Vec<(Slot, Accumulator)>,
    /// The oldest first.
    newer: VecDeque<(Slot, Accumulator)>,
    /// Of all newer ones.
    newer_sum: Option<Accumulator>,
}

impl Sums {
    fn add(&mut self, slot: Slot, new: Accumulator) {
        match self.newer.back_mut() {
            Some((last, accumulator)) if *last == slot => accumulator.merge(&new),
            _ => self.newer.push_back((slot, new)),
        }
        match &mut self.newer_sum {
            Some(sum) => sum.merge(&new),
            None => self.newer_sum = Some(new),
        }
    }

    fn drop_before(&mut self, first: Slot) {
        while self.older.last().is_some_and(|(slot, _)| *slot < first) {
            self.older.pop();
        }
        let is_used_up = self.older.is_empty() && self.newer.front().is_some_and(|(slot, _)| *slot < first);
        if !is_used_up {
            return;
        }
        let mut sum: Option<Accumulator> = None;
        for (slot, mut accumulator) in self.newer.drain(..).rev().take_while(|(slot, _)| first <= *slot) {
            if let Some(later) = sum {
                accumulator.merge(&later);
            }
            self.older.push((slot, accumulator));
            sum = Some(accumulator);
        }
        self.newer_sum = None;
    }

    fn total(&self) -> Accumulator {
        let parts = self.older.last().map(|(_, older)| *older).into_iter().chain(self.newer_sum);
        let sum = parts.reduce(|mut older, newer| {
            older.merge(&newer);
            older
        });
        sum.expect("only a window with something in it is asked for its sum")
    }
}

/// The value at `rank` of `values`, which are sorted on the way.
fn quantile(rank: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || rank.is_nan() {
        return f64::NAN;
    }
    if rank < 0.0 {
        return f64::NEG_INFINITY;
    }
    if rank > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|left, right| {
        // What is no number comes first.
        left.partial_cmp(right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
    });
    let last = values.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "as many values as this do not fit into memory")]
    let place = rank * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is from 0 to 1")]
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let weight = place - place.floor();
    values[below] * (1.0 - weight) + values[above] * weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::eval::grid::Grid;

    /// A window over `values`, one a slot, that has moved on step by step gives the same as the values themselves.
    #[track_caller]
    fn check(summary: Summary, values: &[f64], width: usize, expected: impl Fn(&[f64]) -> f64) {
        let grid = Grid::new(0, 1000, Some(1), 1, 0);
        let slot = |index: usize| grid.slot(i64::try_from(index).unwrap()).expect("it is on the grid").0;
        let mut window = Window::new(summary);
        for (index, value) in values.iter().enumerate() {
            window.add(slot(index), Cell::new(summary, *value, 0));
            let first = (index + 1).saturating_sub(width);
            window.drop_before(slot(first));
            let (actual, expected) = (window.result(summary, 0, 0), expected(&values[first..=index]));
            assert!((actual - expected).abs() < 1e-9, "{summary:?} of {:?}: {actual}", &values[first..=index]);
        }
        window.drop_before(slot(values.len()));
        assert!(window.is_empty());
    }

    #[test]
    fn a_window_that_moves_on_has_what_is_in_it() {
        let values: Vec<f64> = (0..40).map(|index| f64::from(index * 7 % 11)).collect();
        for width in 1..12 {
            check(Summary::Of(Statistic::Sum), &values, width, |values| values.iter().sum());
            check(Summary::Of(Statistic::Max), &values, width, |values| {
                values.iter().copied().fold(f64::MIN, f64::max)
            });
            check(Summary::Of(Statistic::First), &values, width, |values| values[0]);
            check(Summary::Of(Statistic::Last), &values, width, |values| values[values.len() - 1]);
            check(Summary::Quantile(0.0), &values, width, |values| values.iter().copied().fold(f64::MAX, f64::min));
        }
    }

    #[test]
    fn quantiles_are_interpolated() {
        let of = |rank: f64, values: &[f64]| quantile(rank, &mut values.to_vec()).to_string();
        assert_eq!(of(0.5, &[4.0, 1.0, 3.0, 2.0]), "2.5");
        assert_eq!(of(0.0, &[4.0, 1.0, 3.0]), "1");
        assert_eq!(of(1.0, &[4.0, 1.0, 3.0]), "4");
        assert_eq!(of(0.9, &[7.0]), "7");
        assert_eq!(of(1.1, &[7.0]), "inf");
        assert_eq!(of(-0.1, &[7.0]), "-inf");
        assert_eq!(of(1.0, &[f64::NAN, 1.0]), "1");
    }
}
