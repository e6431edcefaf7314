//! Estimates of what compression will make of a column: good enough to choose by, and cheap.

use super::numbers::Encoded;
use super::values::Values;

/// Pieces of a column's text that are looked at to tell how many bits a byte of it takes.
const SAMPLE_PIECES: usize = 16;
const SAMPLE_PIECE_BYTES: usize = 128;
/// What zstd gains over the entropy of single bytes, on values of logs; measured.
const TEXT_GAIN: f32 = 0.85;

/// About how many bits zstd makes of values one after the other, if a byte takes so many.
pub(super) fn text_bits(values: &Values, bits_per_byte: f32) -> f32 {
    to_f32(values.text().len()) * bits_per_byte
}

/// About how many bits a byte of a column takes.
pub(super) fn bits_per_byte(values: &Values) -> f32 {
    let text = values.text();
    let step = (text.len() / SAMPLE_PIECES).max(SAMPLE_PIECE_BYTES);
    let counts = histogram(text.chunks(step).map(|piece| &piece[..piece.len().min(SAMPLE_PIECE_BYTES)]));
    let total: u32 = counts.iter().sum();
    TEXT_GAIN * entropy_bits(&counts) / to_f32(total as usize)
}

/// About how many bits numbers take: each plane by itself.
pub(super) fn numbers_bits(numbers: &Encoded) -> f32 {
    numbers.planes().map(plane_bits).sum()
}

/// About how many bits bytes take that have nothing to do with their neighbours.
pub(super) fn plane_bits(plane: &[u8]) -> f32 {
    entropy_bits(&histogram([plane]))
}

/// About how many bits counts of things, mostly small, take.
pub(super) fn counts_bits(counts: &[u32]) -> f32 {
    let mut histogram = [0; 256];
    for count in counts {
        histogram[(*count).min(u8::MAX.into()) as usize] += 1;
    }
    entropy_bits(&histogram)
}

/// Bits that an ideal coder takes for symbols that are met so often.
pub(super) fn entropy_bits(counts: &[u32]) -> f32 {
    let total: u32 = counts.iter().sum();
    let total = to_f32(total as usize);
    let counts = counts.iter().filter(|count| **count != 0).map(|count| to_f32(*count as usize));
    counts.map(|count| count * (total / count).log2()).sum()
}

fn histogram<'v>(texts: impl IntoIterator<Item = &'v [u8]>) -> [u32; 256] {
    let mut counts = [0; 256];
    for byte in texts.into_iter().flatten() {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

#[expect(clippy::cast_precision_loss, reason = "estimates need no more than 24 bits")]
pub(super) fn to_f32(count: usize) -> f32 {
    count as f32
}
