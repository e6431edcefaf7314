//! Columns of integers: relative to the least of them or to their neighbours, cut into planes of bytes.
//!
//! A plane holds one byte of each number, the lowest bytes first. The high planes of small numbers are all alike, which
//! costs next to nothing once compressed, and every plane is one kind of byte to the entropy coder.

use super::Error;
use super::wire::{Reader, put_signed, put_varint};

/// How a column of integers was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Numbers are differences from the one before.
    delta: bool,
    /// The least number, or for differences the first number.
    base: i64,
    /// The least difference.
    least: i64,
    /// What all numbers or differences, less the least one, are multiples of.
    factor: u64,
    /// How many planes there are.
    width: usize,
}

/// Integers ready to be written.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) layout: Layout,
    pub(super) planes: Vec<u8>,
}

impl Encoded {
    /// The planes one by one.
    pub(super) fn planes(&self) -> impl Iterator<Item = &[u8]> {
        self.planes.chunks_exact((self.planes.len() / self.layout.width.max(1)).max(1))
    }
}

/// Encodes `values` relative to their least one or as differences, whichever is smaller.
pub(super) fn encode(values: &[i64]) -> Encoded {
    let base = values.iter().copied().min().unwrap_or(0);
    let offsets: Vec<u64> = values.iter().map(|value| value.wrapping_sub(base).cast_unsigned()).collect();
    let deltas = || values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let least = deltas().min().unwrap_or(0);
    // The first difference is a stand-in, so that there are as many differences as numbers.
    let differences: Vec<u64> = std::iter::once(0)
        .take(values.len())
        .chain(deltas().map(|delta| delta.wrapping_sub(least).cast_unsigned()))
        .collect();
    let delta = bits(&differences) + values.len() as u64 / 2 < bits(&offsets);
    let (base, least, mut numbers) = if delta { (values[0], least, differences) } else { (base, 0, offsets) };
    let factor = common_factor(&numbers);
    if 1 < factor {
        for number in &mut numbers {
            *number /= factor;
        }
    }
    let width = width_of(numbers.iter().copied().max().unwrap_or(0));
    let layout = Layout { delta, base, least, factor, width };
    Encoded { layout, planes: split_planes(&numbers.iter().copied(), width) }
}

/// The planes of `numbers`, which are neither in order nor far from zero.
pub(super) fn plain_planes(numbers: &[u32]) -> Vec<u8> {
    let width = width_of(numbers.iter().copied().max().unwrap_or(0).into());
    split_planes(&numbers.iter().map(|number| u64::from(*number)), width)
}

/// Significant bits of all numbers together: a fair guess at what they cost.
fn bits(numbers: &[u64]) -> u64 {
    numbers.iter().map(|number| u64::from(u64::BITS - number.leading_zeros())).sum()
}

/// The greatest common divisor; times often are whole seconds. At least 1.
fn common_factor(numbers: &[u64]) -> u64 {
    let mut factor = 0;
    for number in numbers {
        let mut rest = *number;
        while rest != 0 {
            (factor, rest) = (rest, factor % rest);
        }
        if factor == 1 {
            break;
        }
    }
    factor.max(1)
}

/// Bytes that `max` and everything below it fits.
pub(super) fn width_of(max: u64) -> usize {
    (u64::BITS - max.leading_zeros()).div_ceil(8) as usize
}

/// Cuts numbers into `width` planes.
pub(super) fn split_planes(numbers: &(impl ExactSizeIterator<Item = u64> + Clone), width: usize) -> Vec<u8> {
    let mut planes = Vec::with_capacity(numbers.len() * width);
    for plane in 0..width {
        planes.extend(numbers.clone().map(|number| number.to_le_bytes()[plane]));
    }
    planes
}

impl Layout {
    /// Appends the layout itself.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let width = u8::try_from(self.width).expect("an integer has at most 8 bytes");
        out.push(u8::from(self.delta) << 4 | width);
        put_signed(out, self.base);
        if self.delta {
            put_signed(out, self.least);
        }
        put_varint(out, self.factor);
    }

    /// Reads a layout.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let byte = reader.byte()?;
        let (delta, width) = (byte >> 4 == 1, usize::from(byte & 0xf));
        if 1 < byte >> 4 || size_of::<u64>() < width {
            return Err(reader.corrupt());
        }
        let base = reader.signed()?;
        let least = if delta { reader.signed()? } else { 0 };
        Ok(Self { delta, base, least, factor: reader.varint()?, width })
    }

    /// How many planes there are.
    pub(super) fn plane_count(&self) -> usize {
        self.width
    }

    /// Bytes that the planes of `count` numbers have.
    pub(super) fn plane_bytes(&self, count: u32) -> usize {
        self.width * count as usize
    }

    /// The `count` numbers in `planes`, which is [`Self::plane_bytes`] long.
    pub(super) fn decode(&self, planes: &[u8], count: u32) -> Vec<i64> {
        let mut numbers = vec![0; count as usize];
        for (plane, bytes) in planes.chunks_exact((count as usize).max(1)).enumerate() {
            for (number, byte) in numbers.iter_mut().zip(bytes) {
                *number |= u64::from(*byte) << (8 * plane);
            }
        }
        let mut previous = self.base.wrapping_sub(self.least);
        let decoded = numbers.into_iter().map(|number| {
            let offset = number.wrapping_mul(self.factor).cast_signed();
            if !self.delta {
                return self.base.wrapping_add(offset);
            }
            previous = previous.wrapping_add(self.least).wrapping_add(offset);
            previous
        });
        decoded.collect()
    }
}

/// The `count` numbers below `limit` in `planes`; `None` where one is not below, or the planes are not as long.
pub(super) fn decode_ids(planes: &[u8], count: u32, limit: u32) -> Option<Vec<u32>> {
    if planes.len() != id_width(limit) * count as usize {
        return None;
    }
    let ids = join_planes(planes, count as usize);
    (count == 0 || ids.iter().all(|id| *id < limit)).then_some(ids)
}

/// The `count` numbers that `planes`, at most four, are made of.
pub(super) fn join_planes(planes: &[u8], count: usize) -> Vec<u32> {
    let mut numbers = vec![0; count];
    for (plane, shift) in planes.chunks_exact(count.max(1)).zip([0, 8, 16, 24]) {
        for (number, byte) in numbers.iter_mut().zip(plane) {
            *number |= u32::from(*byte) << shift;
        }
    }
    numbers
}

/// Planes of a column of ids below `limit`.
pub(super) fn id_width(limit: u32) -> usize {
    width_of(u64::from(limit.saturating_sub(1)))
}
