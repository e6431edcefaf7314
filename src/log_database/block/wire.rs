//! Variable-length integers and length-prefixed bytes, written to a `Vec` and read back with every step checked.

use super::Error;

/// Appends `value`, seven bits a byte, lowest first; the high bit says that more follow.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a length or a count.
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(out, length as u64);
}

/// Appends a signed integer so that small magnitudes are short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends the length of `bytes` and then `bytes`.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// A range of bytes in a buffer that was checked to hold it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// How many bytes they are.
    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The bytes in the buffer that the span was read from.
    pub(super) fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// Reads front to back from bytes that may be anything.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Where these bytes come from, for the error.
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, position: 0, what }
    }

    /// The error that the bytes before the current position make no sense.
    pub(super) fn corrupt(&self) -> Error {
        Error::Corrupt { what: self.what, offset: self.position }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let byte = *self.bytes.get(self.position).ok_or_else(|| self.corrupt())?;
        self.position += 1;
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(self.corrupt());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.corrupt())
    }

    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A length or a count that must not be over `max`.
    pub(super) fn length(&mut self, max: usize) -> Result<usize, Error> {
        let length = usize::try_from(self.varint()?).map_err(|_| self.corrupt())?;
        if max < length { Err(self.corrupt()) } else { Ok(length) }
    }

    /// Like [`Self::length`], for counts that are kept as `u32`.
    pub(super) fn count(&mut self, max: u32) -> Result<u32, Error> {
        let count = u32::try_from(self.varint()?).map_err(|_| self.corrupt())?;
        if max < count { Err(self.corrupt()) } else { Ok(count) }
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let taken = self.bytes.get(self.position..).and_then(|rest| rest.get(..length));
        let taken = taken.ok_or_else(|| self.corrupt())?;
        self.position += length;
        Ok(taken)
    }

    /// The next four bytes as a little-endian integer.
    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        let bytes = self.take(size_of::<u32>())?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four were taken")))
    }

    /// Where the next length-prefixed bytes are.
    pub(super) fn span(&mut self) -> Result<Span, Error> {
        let length = self.length(self.bytes.len())?;
        let start = u32::try_from(self.position).map_err(|_| self.corrupt())?;
        self.take(length)?;
        let end = u32::try_from(self.position).map_err(|_| self.corrupt())?;
        Ok(Span { start, end })
    }

    /// The bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }
}
