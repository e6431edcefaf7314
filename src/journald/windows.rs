//! Reads a file piece by piece, and keeps the last few pieces.

use std::io;

use super::ReadAt;

/// How much is read at once at most.
const WINDOW_BYTES_MAX: usize = 128 << 10;
/// And at first: of a file that grows slowly, little is read each time.
const WINDOW_BYTES_MIN: usize = 4 << 10;
/// How many pieces are kept: entries, what they share, and the arrays that list them lie apart.
const WINDOWS: usize = 4;
/// Pieces begin at multiples of this.
const PAGE_BYTES: usize = 4 << 10;

/// A file and pieces of it.
#[derive(Debug)]
pub(super) struct Windows<B> {
    bytes: B,
    read: [Window; WINDOWS],
    /// What is too long for a piece.
    long: Vec<u8>,
    uses: u64,
    /// How much is read next time.
    next_bytes: usize,
}

#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    used: u64,
}

impl Window {
    fn get(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }
}

impl<B: ReadAt> Windows<B> {
    pub(super) fn new(bytes: B) -> Self {
        Self { bytes, read: Default::default(), long: Vec::new(), uses: 0, next_bytes: WINDOW_BYTES_MIN }
    }

    /// What is read.
    pub(super) fn source(&self) -> &B {
        &self.bytes
    }

    /// Forgets what was read: the file may have changed.
    pub(super) fn forget(&mut self) {
        self.read = Default::default();
        self.long = Vec::new();
        self.next_bytes = WINDOW_BYTES_MIN;
    }

    /// Whether nothing is kept that was read before.
    pub(super) fn are_forgotten(&self) -> bool {
        self.next_bytes == WINDOW_BYTES_MIN
    }

    /// The `len` bytes at `offset`, which the caller has bounded; `None` where the file ends before.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        self.uses += 1;
        if WINDOW_BYTES_MAX / 2 < len {
            return self.get_long(offset, len);
        }
        let found = self.read.iter().position(|window| window.get(offset, len).is_some());
        let index = match found {
            Some(index) => index,
            None => self.load(offset, len)?,
        };
        let window = &mut self.read[index];
        window.used = self.uses;
        Ok(window.get(offset, len))
    }

    /// As [`Windows::get`], of what is in the file now.
    pub(super) fn get_now<const N: usize>(&self, offset: u64) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        let count = self.bytes.read_at(&mut bytes, offset)?;
        Ok((count == N).then_some(bytes))
    }

    fn get_long(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        if self.bytes.size_bytes()?.checked_sub(offset).is_none_or(|rest| rest < len as u64) {
            return Ok(None);
        }
        self.long.resize(len, 0);
        let count = self.bytes.read_at(&mut self.long, offset)?;
        Ok((count == len).then_some(&self.long))
    }

    /// Reads a piece that holds what is at `offset`, in the place of the one that was not used for longest.
    fn load(&mut self, offset: u64, len: usize) -> io::Result<usize> {
        let bytes = self.next_bytes.max(len + PAGE_BYTES);
        self.next_bytes = (2 * self.next_bytes).min(WINDOW_BYTES_MAX);
        let oldest = (0..WINDOWS).min_by_key(|index| self.read[*index].used).unwrap_or(0);
        let window = &mut self.read[oldest];
        window.start = offset - offset % PAGE_BYTES as u64;
        window.bytes.resize(bytes, 0);
        let count = self.bytes.read_at(&mut window.bytes, window.start);
        window.bytes.truncate(*count.as_ref().unwrap_or(&0));
        count?;
        Ok(oldest)
    }
}
