//! The times at which a range aggregation is evaluated, and the windows of time before them.
//!
//! A window is open on the left and closed on the right. Where windows overlap, the instants at which one begins or ends
//! cut time into slots; the entries of a slot are in the same windows, so a slot is added up once for all of them.

use std::num::NonZeroU64;

/// Most stretches that a step is cut into where lines are counted by stretch. Slots of a window that is no multiple of the
/// step have odd lengths.
const STRETCHES_PER_STEP_MAX: i64 = 8;

/// Evaluation times and the window before each, all in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// The first evaluation time.
    start: i64,
    /// From one evaluation time to the next; more than zero.
    step: i64,
    /// How many evaluation times there are.
    count: i64,
    /// The length of a window.
    range: i64,
    /// How far the windows lie before their evaluation times.
    offset: i64,
}

/// A stretch of time whose entries are in the same windows; later ones are greater.
///
/// The window that ends at evaluation `k` begins somewhere in the step before evaluation `k - q` or at its end; there it
/// cuts that step in two. So there are two slots to a step: `2k` before the cut, `2k + 1` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(i64);

impl Slot {
    /// No slot is greater.
    pub(super) const MAX: Self = Self(i64::MAX);

    /// The first evaluation whose window may have the slot.
    pub(super) fn first_evaluation(self) -> i64 {
        self.0.div_euclid(2).max(0)
    }
}

/// What lies between the beginning of the last window and the end of the first, where they overlap, is in all of them.
/// There time is not cut: a long window and many steps would otherwise make as many slots as there are steps in it.
const IN_ALL_WINDOWS: Slot = Slot(1);

impl Grid {
    /// Evaluations from `start` to `end` (both inclusive), `step` apart; without a step, one at `end`.
    pub(super) fn new(start: i64, end: i64, step: Option<i64>, range: i64, offset: i64) -> Self {
        match step {
            Some(step) => Self { start, step, count: end.saturating_sub(start) / step + 1, range, offset },
            None => Self { start: end, step: range.max(1), count: 1, range, offset },
        }
    }

    /// How many evaluation times there are.
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// When the window of evaluation `index` ends.
    pub(super) fn window_end(&self, index: i64) -> i64 {
        (self.start + index * self.step).saturating_sub(self.offset)
    }

    /// The first instant of the first window, and the first instant after the last.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let first = self.window_end(0).saturating_sub(self.range).saturating_add(1);
        (first, self.window_end(self.count - 1).saturating_add(1))
    }

    /// The slot of an instant and the first evaluation whose window has it; `None` if no window does.
    pub(super) fn slot(&self, instant: i64) -> Option<(Slot, i64)> {
        let slot = self.earliest_slot(instant);
        let index = slot.first_evaluation();
        (index < self.count && self.first_slot(index) <= slot).then_some((slot, index))
    }

    /// The slot of an instant, be it in a window or not; those of later instants are not less.
    pub(super) fn earliest_slot(&self, instant: i64) -> Slot {
        let since_start = instant.saturating_add(self.offset).saturating_sub(self.start);
        let step_index = since_start.saturating_add(self.step - 1).div_euclid(self.step);
        let cut = step_index.saturating_mul(self.step).saturating_sub(self.range % self.step);
        let slot = Slot(step_index.saturating_mul(2).saturating_add(i64::from(cut < since_start)));
        if self.first_slot(self.count - 1) <= slot { slot.max(IN_ALL_WINDOWS) } else { slot }
    }

    /// The slot of an instant as [`Grid::slot`] says it, and the first and the last instant around it for which it is the
    /// same; there may be more.
    pub(super) fn span(&self, instant: i64) -> (Option<Slot>, (i64, i64)) {
        let since_start = instant.saturating_add(self.offset).saturating_sub(self.start);
        let end = since_start.saturating_add(self.step - 1).div_euclid(self.step).saturating_mul(self.step);
        let cut = end.saturating_sub(self.range % self.step);
        let (before, last) = if cut < since_start { (cut, end) } else { (end.saturating_sub(self.step), cut) };
        let instant_of = |since_start: i64| since_start.saturating_add(self.start).saturating_sub(self.offset);
        let bounds = (instant_of(before).saturating_add(1), instant_of(last));
        // At the ends of time these are none.
        let is_sound = bounds.0 <= instant && instant <= bounds.1 && bounds.0 != i64::MIN && bounds.1 != i64::MAX;
        (self.slot(instant).map(|(slot, _)| slot), if is_sound { bounds } else { (instant, instant) })
    }

    /// A length of time that cuts every slot into whole stretches from the first window's beginning on; `None` where these
    /// would be many more than slots.
    pub(super) fn stretch_ns(&self) -> Option<NonZeroU64> {
        let (mut stretch, mut rest) = (self.step, self.range % self.step);
        while rest != 0 {
            (stretch, rest) = (rest, stretch % rest);
        }
        let is_long = self.step / stretch <= STRETCHES_PER_STEP_MAX;
        NonZeroU64::new(stretch.unsigned_abs()).filter(|_| is_long)
    }

    /// The first slot in the window of evaluation `index`.
    pub(super) fn first_slot(&self, index: i64) -> Slot {
        Slot(2 * (index - self.range / self.step) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every instant around the grid is in the windows that it is in by definition, and in one slot with another instant
    /// only if the same windows have both.
    #[track_caller]
    fn check(start: i64, end: i64, step: Option<i64>, range: i64, offset: i64) {
        let grid = Grid::new(start, end, step, range, offset);
        let evaluations: Vec<i64> = match step {
            Some(step) => (start..=end).step_by(usize::try_from(step).unwrap()).collect(),
            None => vec![end],
        };
        assert_eq!(grid.count(), i64::try_from(evaluations.len()).unwrap());
        let mut last = None;
        for instant in start - 60..end + 60 {
            let has = |at: &i64| at - range - offset < instant && instant <= at - offset;
            let expected: Vec<i64> =
                (0..).zip(&evaluations).filter(|(_, at)| has(at)).map(|(index, _)| index).collect();
            let slot = grid.slot(instant);
            let actual: Vec<i64> = slot.map_or_else(Vec::new, |(slot, first)| {
                (first..grid.count()).take_while(|index| grid.first_slot(*index) <= slot).collect()
            });
            assert_eq!(actual, expected, "instant {instant} of {grid:?}");
            let (spanned, (first, end)) = grid.span(instant);
            assert_eq!(spanned, slot.map(|(slot, _)| slot));
            assert!(first <= instant && instant <= end, "{first}..={end} around {instant} of {grid:?}");
            let is_same = |other: i64| grid.slot(other).map(|(slot, _)| slot) == spanned;
            assert!((first..=end).all(is_same), "one slot from {first} to {end} of {grid:?}");
            assert!(slot.is_none() || last <= slot, "slots are in the order of time");
            last = slot.or(last);
        }
        if let Some(stretch) = grid.stretch_ns() {
            let instants = (grid.bounds().0..end + 60).collect::<Vec<_>>();
            for stretch in instants.chunks(usize::try_from(stretch.get()).unwrap()) {
                let slots: Vec<_> = stretch.iter().map(|instant| grid.slot(*instant)).collect();
                assert!(slots.windows(2).all(|slots| slots[0] == slots[1]), "one slot in {stretch:?} of {grid:?}");
            }
        }
        let (first, end) = grid.bounds();
        let bounds = evaluations[0] - range - offset + 1..evaluations[evaluations.len() - 1] - offset + 1;
        assert_eq!(first..end, bounds);
    }

    #[test]
    fn an_entry_is_in_the_windows_that_begin_before_it_and_end_with_or_after_it() {
        for range in [1, 5, 10, 14, 20, 33] {
            for offset in [0, 3, -7, 10] {
                check(100, 150, Some(10), range, offset);
                check(100, 155, Some(7), range, offset);
                check(-20, 20, Some(10), range, offset);
                check(100, 100, None, range, offset);
            }
        }
    }

    #[test]
    fn an_empty_window_has_no_instant() {
        check(0, 0, None, 0, 0);
        check(0, 20, Some(5), 0, 0);
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        let grid = Grid::new(i64::MAX - 10, i64::MAX, Some(1), 100, -5);
        for instant in [i64::MIN, 0, i64::MAX] {
            grid.slot(instant);
            let (_, (first, last)) = grid.span(instant);
            assert!(first <= instant && instant <= last);
        }
        grid.bounds();
    }
}
