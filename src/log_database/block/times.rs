//! The times of a block's lines: in the unit that their logs write, with what is left of each beside it.
//!
//! No two lines of a stream share a time: of those that are logged at one time, each is a nanosecond after the one before.
//! A single one of them would leave all the others no unit but nanoseconds. So what is left of a time is expected to be 0
//! where the time is another one, in units, than the line's before, and else one more than that line's; and only what is not
//! as expected is stored.

use super::Error;
use super::cost::{numbers_bits, to_f32};
use super::numbers::{self, Encoded, Layout};
use super::sections::Content;
use super::wire::{Reader, put_length, put_signed, put_varint};

/// What logs write times in, in nanoseconds: seconds, milliseconds and microseconds.
const UNITS_NS: [i64; 3] = [1_000_000_000, 1_000_000, 1_000];
/// One line in so many may have a rest that is not as expected; with more, a unit gains nothing.
const LINES_PER_EXCEPTION_MIN: usize = 16;
/// What an exception takes, in bits: how far from the one before it is, and the rest.
const EXCEPTION_BITS: f32 = 32.0;

/// Times ready to be written.
struct Times {
    unit_ns: i64,
    units: Encoded,
    /// The lines whose rest is not as expected, ascending, and by how much it is more.
    exceptions: Vec<(usize, i64)>,
}

/// Appends the section of times, in nanoseconds since the Unix epoch.
pub(super) fn put(timestamps_ns: &[i64], out: &mut Content) {
    let plain = Times { unit_ns: 1, units: numbers::encode(timestamps_ns), exceptions: Vec::new() };
    let in_units = UNITS_NS.into_iter().find_map(|unit_ns| in_units(timestamps_ns, unit_ns));
    let times = in_units.filter(|times| times.bits() < plain.bits()).unwrap_or(plain);
    put_varint(&mut out.bytes, times.unit_ns.cast_unsigned());
    times.units.layout.put(&mut out.bytes);
    out.push_planes(&times.units.planes, times.units.layout.plane_count());
    out.cut();
    let mut next = 0;
    for (row, more) in times.exceptions {
        put_length(&mut out.bytes, row - next);
        put_signed(&mut out.bytes, more);
        next = row + 1;
    }
}

impl Times {
    fn bits(&self) -> f32 {
        numbers_bits(&self.units) + EXCEPTION_BITS * to_f32(self.exceptions.len())
    }
}

/// The times in this unit; `None` where too many have a rest that is not as expected.
fn in_units(timestamps_ns: &[i64], unit_ns: i64) -> Option<Times> {
    let mut exceptions = Vec::new();
    let mut units = Vec::with_capacity(timestamps_ns.len());
    let mut rests = Rests::default();
    for (row, ns) in timestamps_ns.iter().enumerate() {
        let (unit, rest) = (ns.div_euclid(unit_ns), ns.rem_euclid(unit_ns));
        let more = rest - rests.expected(unit);
        if more != 0 {
            exceptions.push((row, more));
            if timestamps_ns.len() / LINES_PER_EXCEPTION_MIN < exceptions.len() {
                return None;
            }
        }
        rests.note(unit, rest);
        units.push(unit);
    }
    Some(Times { unit_ns, units: numbers::encode(&units), exceptions })
}

/// Reads what [`put`] wrote for `count` lines.
pub(super) fn read(section: &[u8], count: u32) -> Result<Vec<i64>, Error> {
    let mut reader = Reader::new(section, "timestamps");
    let unit_ns = reader.varint()?.cast_signed();
    let (mut times, mut reader) = read_numbers(reader, count)?;
    if unit_ns == 1 {
        return if reader.rest().is_empty() { Ok(times) } else { Err(reader.corrupt()) };
    }
    let mut rests = Rests::default();
    let mut put_times = |times: &mut [i64], more: i64| {
        let mut more = more;
        for time in times {
            let rest = rests.expected(*time).wrapping_add(std::mem::take(&mut more));
            rests.note(*time, rest);
            *time = time.wrapping_mul(unit_ns).wrapping_add(rest);
        }
    };
    // Those up to the next exception are as expected, and it is the first of those after it.
    let (mut rest, mut more) = (&mut times[..], 0);
    let mut is_first = true;
    while !reader.rest().is_empty() {
        let last = usize::from(!is_first);
        let gap = reader.length(rest.len().saturating_sub(last + 1))?;
        let (as_expected, later) = rest.split_at_mut(gap + last);
        put_times(as_expected, more);
        (rest, more, is_first) = (later, reader.signed()?, false);
        if rest.is_empty() {
            return Err(reader.corrupt());
        }
    }
    put_times(rest, more);
    Ok(times)
}

/// Reads what versions 1 and 2 wrote: numbers alone.
pub(super) fn read_plain(section: &[u8], count: u32) -> Result<Vec<i64>, Error> {
    let (times, reader) = read_numbers(Reader::new(section, "timestamps"), count)?;
    if reader.rest().is_empty() { Ok(times) } else { Err(reader.corrupt()) }
}

fn read_numbers(mut reader: Reader<'_>, count: u32) -> Result<(Vec<i64>, Reader<'_>), Error> {
    let layout = Layout::read(&mut reader)?;
    let planes = reader.take(layout.plane_bytes(count))?;
    Ok((layout.decode(planes, count), reader))
}

/// What is left of the time of the line before, and what that was in units.
#[derive(Default)]
struct Rests {
    last: Option<(i64, i64)>,
}

impl Rests {
    /// What is left of a time of so many units, unless it is an exception.
    fn expected(&self, unit: i64) -> i64 {
        self.last.filter(|(last, _)| *last == unit).map_or(0, |(_, rest)| rest.wrapping_add(1))
    }

    fn note(&mut self, unit: i64, rest: i64) {
        self.last = Some((unit, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section_of(timestamps_ns: &[i64]) -> Vec<u8> {
        let mut section = Content::default();
        put(timestamps_ns, &mut section);
        section.bytes
    }

    /// Writes and reads times; how many bytes that takes, compressed.
    #[track_caller]
    fn check(timestamps_ns: &[i64]) -> usize {
        let section = section_of(timestamps_ns);
        let count = u32::try_from(timestamps_ns.len()).unwrap();
        assert_eq!(read(&section, count).unwrap(), timestamps_ns);
        zstd::bulk::compress(&section, 1).unwrap().len()
    }

    /// Times in `unit_ns`, some of which are met several times, each a nanosecond after the other.
    fn spaced(unit_ns: i64, jitter: i64) -> Vec<i64> {
        let mut times: Vec<i64> = Vec::new();
        let mut units = 1_700_000_000_000;
        for number in 0_i64..20_000 {
            units += number.wrapping_mul(0x9e37_79b9) >> 7 & 3;
            let ns = units * unit_ns;
            times.push(times.last().map_or(ns, |last| ns.max(last + 1)) + if number % 1000 == 7 { jitter } else { 0 });
        }
        times
    }

    #[test]
    fn times_that_were_moved_by_nanoseconds_take_little_more_than_those_that_were_not() {
        for unit_ns in [1_000_000, 1_000] {
            let times = spaced(unit_ns, 0);
            let coarse: Vec<i64> = times.iter().map(|ns| ns.div_euclid(unit_ns) * unit_ns).collect();
            assert!(check(&times) <= check(&coarse) + times.len() / 20);
            assert!(check(&spaced(unit_ns, 3)) <= check(&coarse) + times.len() / 10, "a few are exceptions");
        }
    }

    #[test]
    fn times_of_any_kind_come_back() {
        check(&[]);
        check(&[7]);
        check(&[i64::MIN, i64::MAX, -1, 0, 1]);
        check(&[-1_000_000; 40]);
        let mut times = spaced(1_000_000, 0);
        times.reverse();
        check(&times);
        times[0] = 5;
        times[19_999] = i64::MIN;
        check(&times);
        check(&(0..5000).map(|number| 1_700_000_000_000_000_123 + number).collect::<Vec<i64>>());
    }

    #[test]
    fn sections_of_any_bytes_are_refused_or_read() {
        let section = section_of(&spaced(1_000_000, 3));
        for end in 0..section.len().min(64) {
            assert!(read(&section[..end], 20_000).is_err());
        }
        for more in [&[0_u8, 2][..], &[0xff, 0xff, 0x7f, 0], &[0x80]] {
            assert!(read(&[&section[..], more].concat(), 20_000).is_err() || more == [0, 2]);
        }
    }
}
