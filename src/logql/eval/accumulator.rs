//! Adds up the values of a group: of one series within a window, or of several series at one step.
//!
//! Parts can be added up on their own and put together afterwards, in the order of time; that is how windows that overlap
//! share their work.

use crate::logql::units::NS_PER_SECOND;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    Sum,
    Mean,
    Max,
    Min,
    Variance,
    Deviation,
    First,
    Last,
    /// The growth per second of a number that only grows, or starts again at zero.
    CounterRate,
}

/// The values so far.
#[derive(Clone, Copy, Debug)]
pub(super) enum Accumulator {
    Sum(f64),
    Mean(Mean),
    Max(f64),
    Min(f64),
    Moments(Moments),
    First(f64),
    Last(f64),
    Counter(Counter),
}

impl Accumulator {
    /// Of one value.
    pub(super) fn new(statistic: Statistic, value: f64, time_ns: i64) -> Self {
        match statistic {
            Statistic::Sum => Self::Sum(value),
            Statistic::Mean => Self::Mean(Mean { count: 1.0, mean: value }),
            Statistic::Max => Self::Max(value),
            Statistic::Min => Self::Min(value),
            Statistic::Variance | Statistic::Deviation => Self::Moments(Moments::of(value)),
            Statistic::First => Self::First(value),
            Statistic::Last => Self::Last(value),
            Statistic::CounterRate => {
                let sample = Sample { time_ns, value };
                Self::Counter(Counter { count: 1.0, first: sample, last: sample, lost_to_resets: 0.0 })
            }
        }
    }

    /// Adds a value that is not earlier than those there are.
    pub(super) fn add(&mut self, value: f64, time_ns: i64) {
        match self {
            Self::Sum(sum) => *sum += value,
            Self::Mean(mean) => mean.merge(Mean { count: 1.0, mean: value }),
            Self::Max(max) => *max = max_of(*max, value),
            Self::Min(min) => *min = min_of(*min, value),
            Self::Moments(moments) => moments.merge(Moments::of(value)),
            Self::First(_) => {}
            Self::Last(last) => *last = value,
            Self::Counter(counter) => {
                let sample = Sample { time_ns, value };
                counter.merge(Counter { count: 1.0, first: sample, last: sample, lost_to_resets: 0.0 });
            }
        }
    }

    /// Adds the values of a later part of the same statistic.
    pub(super) fn merge(&mut self, later: &Self) {
        match (self, later) {
            (Self::Sum(sum), Self::Sum(other)) => *sum += other,
            (Self::Mean(mean), Self::Mean(other)) => mean.merge(*other),
            (Self::Max(max), Self::Max(other)) => *max = max_of(*max, *other),
            (Self::Min(min), Self::Min(other)) => *min = min_of(*min, *other),
            (Self::Moments(moments), Self::Moments(other)) => moments.merge(*other),
            (Self::First(_), Self::First(_)) => {}
            (Self::Last(last), Self::Last(other)) => *last = *other,
            (Self::Counter(counter), Self::Counter(other)) => counter.merge(*other),
            _ => unreachable!("parts are of one statistic"),
        }
    }

    /// The statistic of the values so far, for a window of `range_ns` that ends at `end_ns`.
    pub(super) fn result(&self, statistic: Statistic, end_ns: i64, range_ns: i64) -> f64 {
        match self {
            Self::Sum(value) | Self::Max(value) | Self::Min(value) | Self::First(value) | Self::Last(value) => *value,
            Self::Mean(mean) => mean.mean,
            Self::Moments(moments) if statistic == Statistic::Deviation => moments.variance().sqrt(),
            Self::Moments(moments) => moments.variance(),
            Self::Counter(counter) => counter.rate(end_ns, range_ns),
        }
    }
}

/// The greater one; what is no number is neither.
fn max_of(left: f64, right: f64) -> f64 {
    if right > left || left.is_nan() { right } else { left }
}

/// The smaller one; what is no number is neither.
fn min_of(left: f64, right: f64) -> f64 {
    if right < left || left.is_nan() { right } else { left }
}

/// A mean that does not overflow where the sum would.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    count: f64,
    mean: f64,
}

impl Mean {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        if self.mean.is_infinite() {
            // There is no way back from infinity, but the opposite one makes it no number.
            self.mean += other.mean;
            return;
        }
        self.mean += (other.mean / self.count - self.mean / self.count) * other.count;
    }
}

/// Mean and sum of squared differences from it, after Welford and Chan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of one value, which has no difference from itself unless it is infinite or no number.
    fn of(value: f64) -> Self {
        Self { count: 1.0, mean: value, squares: if value.is_finite() { 0.0 } else { f64::NAN } }
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        let difference = other.mean - self.mean;
        self.mean += difference * other.count / count;
        // With an infinite value the last factor is no number, and the variance is not, either.
        self.squares += other.squares + difference * other.count * (other.mean - self.mean);
        self.count = count;
    }

    /// Of the values as the whole population.
    fn variance(&self) -> f64 {
        self.squares / self.count
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    time_ns: i64,
    value: f64,
}

/// What is left of the samples of a counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    count: f64,
    first: Sample,
    last: Sample,
    /// The sum of the values from which the counter fell.
    lost_to_resets: f64,
}

impl Counter {
    fn merge(&mut self, later: Self) {
        if later.first.value < self.last.value {
            self.lost_to_resets += self.last.value;
        }
        self.lost_to_resets += later.lost_to_resets;
        self.count += later.count;
        self.last = later.last;
    }

    /// The growth per second as Prometheus estimates it: the growth between the samples is carried on to the window's
    /// ends where these are near, by half a gap where they are not, and not to before the counter was zero.
    fn rate(&self, end_ns: i64, range_ns: i64) -> f64 {
        let seconds = |from_ns: i64, to_ns: i64| seconds(to_ns.saturating_sub(from_ns));
        let sampled = seconds(self.first.time_ns, self.last.time_ns);
        if self.count < 2.0 || sampled <= 0.0 {
            return 0.0;
        }
        let growth = self.last.value - self.first.value + self.lost_to_resets;
        let mean_gap = sampled / (self.count - 1.0);
        let carried = |distance: f64| if distance < mean_gap * NEAR_GAPS { distance } else { mean_gap / 2.0 };
        let mut before = carried(seconds(end_ns.saturating_sub(range_ns), self.first.time_ns));
        if growth > 0.0 && self.first.value >= 0.0 {
            before = before.min(sampled * self.first.value / growth);
        }
        let covered = sampled + before + carried(seconds(self.last.time_ns, end_ns));
        growth * (covered / sampled) / self::seconds(range_ns)
    }
}

/// An end of the window is near if it is no further away than this many mean gaps between samples.
const NEAR_GAPS: f64 = 1.1;

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "the error is below a nanosecond for windows of up to a hundred days")]
pub(super) fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / NS_PER_SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statistic of `values`, a second apart up to the end of a window that begins a second before the first: added
    /// up one by one, and in two parts wherever they are cut.
    #[track_caller]
    fn check(statistic: Statistic, values: &[f64], expected: f64) {
        let add_up = |values: &[f64], first_ns: i64| {
            let mut times = (0..).map(|index| first_ns + index * NS_PER_SECOND);
            let mut all = Accumulator::new(statistic, values[0], times.next().unwrap());
            values[1..].iter().zip(times).for_each(|(value, time_ns)| all.add(*value, time_ns));
            all
        };
        let end_ns = i64::try_from(values.len()).unwrap() * NS_PER_SECOND;
        for cut in 1..=values.len() {
            let mut all = add_up(&values[..cut], NS_PER_SECOND);
            if cut < values.len() {
                all.merge(&add_up(&values[cut..], (i64::try_from(cut).unwrap() + 1) * NS_PER_SECOND));
            }
            let actual = all.result(statistic, end_ns, end_ns);
            let is_same = (actual - expected).abs() < 1e-9 || actual.total_cmp(&expected.copysign(actual)).is_eq();
            assert!(is_same, "{statistic:?} of {values:?} cut at {cut}: {actual}, expected {expected}");
        }
    }

    const NAN: f64 = f64::NAN;
    const INFINITY: f64 = f64::INFINITY;

    #[test]
    fn sums_and_extremes() {
        check(Statistic::Sum, &[1.0, 2.5, -1.0], 2.5);
        check(Statistic::Max, &[NAN, 1.0, 3.0, NAN, 2.0], 3.0);
        check(Statistic::Min, &[NAN, 3.0, 1.0, NAN, 2.0], 1.0);
        check(Statistic::Max, &[NAN, NAN], NAN);
        check(Statistic::First, &[5.0, 1.0, 9.0], 5.0);
        check(Statistic::Last, &[5.0, 1.0, 9.0], 9.0);
    }

    #[test]
    fn a_mean_neither_overflows_nor_forgets_infinity() {
        check(Statistic::Mean, &[1.0, 2.0, 6.0], 3.0);
        check(Statistic::Mean, &[f64::MAX, f64::MAX, f64::MAX], f64::MAX);
        check(Statistic::Mean, &[1.0, INFINITY, 2.0], INFINITY);
        check(Statistic::Mean, &[INFINITY, -INFINITY], NAN);
    }

    #[test]
    fn deviation_is_that_of_the_population() {
        check(Statistic::Variance, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 4.0);
        check(Statistic::Deviation, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 2.0);
        check(Statistic::Deviation, &[3.0], 0.0);
        check(Statistic::Variance, &[3.0, INFINITY], NAN);
    }

    #[test]
    fn a_counter_is_carried_on_to_the_ends_of_the_window() {
        check(Statistic::CounterRate, &[10.0, 12.0, 14.0, 16.0], 2.0);
        check(Statistic::CounterRate, &[10.0, 12.0, 1.0, 3.0], (5.0 / 3.0) * 4.0 / 4.0);
        check(Statistic::CounterRate, &[0.0, 3.0, 6.0], 2.0);
        check(Statistic::CounterRate, &[10.0], 0.0);
        // Half a gap is carried on to a window's start that is far away, and less than that if the counter began there.
        let counter = |first: f64| {
            let mut counter = Accumulator::new(Statistic::CounterRate, first, 180 * NS_PER_SECOND);
            counter.add(first + 60.0, 210 * NS_PER_SECOND);
            format!("{:.3}", counter.result(Statistic::CounterRate, 210 * NS_PER_SECOND, 90 * NS_PER_SECOND))
        };
        assert_eq!([40.0, 10.0].map(counter), ["1.000", "0.778"]);
    }
}
