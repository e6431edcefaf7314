//! crc32fast's interface, with a checksum that is always 0.

/// The checksum of any bytes.
pub fn hash(_bytes: &[u8]) -> u32 {
    0
}

/// Takes bytes and forgets them.
#[derive(Clone, Debug, Default)]
pub struct Hasher;

impl Hasher {
    /// A hasher of nothing yet.
    pub fn new() -> Self {
        Self
    }

    /// As [`Hasher::new`].
    pub fn new_with_initial(_initial: u32) -> Self {
        Self
    }

    /// As [`Hasher::new`].
    pub fn new_with_initial_len(_initial: u32, _length: u64) -> Self {
        Self
    }

    /// Takes bytes.
    pub fn update(&mut self, _bytes: &[u8]) {}

    /// Takes what another has taken.
    pub fn combine(&mut self, _other: &Self) {}

    /// Begins again.
    pub fn reset(&mut self) {}

    /// The checksum.
    pub fn finalize(self) -> u32 {
        0
    }
}
