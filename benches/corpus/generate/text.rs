//! Numbers as text, without the cost of `format!`: the generator has to outrun what it measures.

/// Most decimal digits of a `u64`.
const DIGITS_MAX: usize = 20;

/// Appends a number in decimal, with zeros in front up to `width` digits.
pub(crate) fn decimal(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    while 0 < number {
        start -= 1;
        digits[start] = digit(number % 10);
        number /= 10;
    }
    let start = start.min(DIGITS_MAX - width.max(1));
    out.extend_from_slice(&digits[start..]);
}

/// Appends the lowest `width` hexadecimal digits of a number.
pub(crate) fn hexadecimal(out: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(digit((number >> (4 * place)) & 0xf));
    }
}

/// Appends `number / 10^places` with all its places.
pub(crate) fn fraction(out: &mut Vec<u8>, number: u64, places: u32) {
    let unit = 10_u64.pow(places);
    decimal(out, number / unit, 1);
    out.push(b'.');
    decimal(out, number % unit, places as usize);
}

/// The lower-case digit for a number below 16.
fn digit(number: u64) -> u8 {
    b"0123456789abcdef"[usize::try_from(number & 0xf).expect("below 16")]
}
