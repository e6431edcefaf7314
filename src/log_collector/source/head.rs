//! The fingerprints of a file's first bytes, taken while they are read.

use crate::log_collector::checkpoint::{HEAD_BYTES, head_hash};

/// What is known of a file's first bytes.
#[derive(Debug, Default)]
pub(super) struct Head {
    hashes: Vec<u64>,
    /// The first bytes, until the last fingerprint is taken.
    start: Vec<u8>,
}

impl Head {
    /// Takes `text`, which follows what was taken before.
    pub(super) fn extend(&mut self, text: &[u8]) {
        let Some(last) = HEAD_BYTES.last().filter(|_| self.hashes.len() < HEAD_BYTES.len()) else { return };
        let room = last - self.start.len();
        self.start.extend_from_slice(&text[..text.len().min(room)]);
        while let Some(start) = HEAD_BYTES.get(self.hashes.len()).and_then(|&byte_count| self.start.get(..byte_count)) {
            self.hashes.push(head_hash(start));
        }
        if self.hashes.len() == HEAD_BYTES.len() {
            self.start = Vec::new();
        }
    }

    /// Whether a file that begins with `start` can be the one that was read.
    pub(super) fn is_of(&self, start: &[u8]) -> bool {
        let mut known = self.hashes.iter().zip(HEAD_BYTES).filter(|(_, byte_count)| *byte_count <= start.len());
        known.next_back().is_none_or(|(hash, byte_count)| head_hash(&start[..byte_count]) == *hash)
    }

    /// The fingerprints so far.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_do_not_depend_on_how_the_bytes_come() {
        let text: Vec<u8> = (0..5000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut whole = Head::default();
        whole.extend(&text);
        assert_eq!(whole.hashes().len(), HEAD_BYTES.len());
        for step in [1, 3, 100, 1023, 1025] {
            let mut parts = Head::default();
            text.chunks(step).for_each(|part| parts.extend(part));
            assert_eq!(parts.hashes(), whole.hashes(), "in steps of {step}");
            assert!(parts.start.is_empty());
        }
        assert!(whole.is_of(&text[..100]) && whole.is_of(&text[..10]) && whole.is_of(b""));
        assert!(!whole.is_of(&text[1..101]));
        let mut short = Head::default();
        short.extend(&text[..63]);
        assert_eq!(short.hashes(), &whole.hashes()[..3]);
    }
}
