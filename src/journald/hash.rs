//! The two hashes of journal files: Jenkins' of old, and `SipHash` where they are keyed.

use std::hash::Hasher as _;

/// `jenkins_hash64` of systemd: `hashlittle2` of Bob Jenkins' lookup3 (public domain), both halves as one number.
pub(super) fn jenkins(bytes: &[u8]) -> u64 {
    // Lengths are bounded by `FIELD_BYTES_MAX`, and the function takes 32 bits of them.
    let start = 0xdead_beef_u32.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let (mut a, mut b, mut c) = (start, start, start);
    // The last block, be it full, is mixed in another way.
    let full = bytes.len().saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
    let (blocks, last) = bytes.split_at(full);
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        add(block, &mut a, &mut b, &mut c);
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
    }
    if !last.is_empty() {
        let mut block = [0; BLOCK_BYTES];
        block[..last.len()].copy_from_slice(last);
        add(&block, &mut a, &mut b, &mut c);
        c = (c ^ b).wrapping_sub(b.rotate_left(14));
        a = (a ^ c).wrapping_sub(c.rotate_left(11));
        b = (b ^ a).wrapping_sub(a.rotate_left(25));
        c = (c ^ b).wrapping_sub(b.rotate_left(16));
        a = (a ^ c).wrapping_sub(c.rotate_left(4));
        b = (b ^ a).wrapping_sub(a.rotate_left(14));
        c = (c ^ b).wrapping_sub(b.rotate_left(24));
    }
    u64::from(c) << 32 | u64::from(b)
}

const BLOCK_BYTES: usize = 12;

fn add(block: &[u8], a: &mut u32, b: &mut u32, c: &mut u32) {
    let word = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    *a = a.wrapping_add(word(0));
    *b = b.wrapping_add(word(4));
    *c = c.wrapping_add(word(8));
}

/// `SipHash`-2-4 with a file's id as its key.
#[expect(deprecated, reason = "the format needs this very function, and the one that came in its place may change")]
pub(super) fn keyed(bytes: &[u8], file_id: [u8; 16]) -> u64 {
    let key = |half: usize| u64::from_le_bytes(file_id[half * 8..][..8].try_into().expect("8 of 16 bytes"));
    let mut hasher = std::hash::SipHasher::new_with_keys(key(0), key(1));
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jenkins_hash_is_the_published_one() {
        // From the self-test of lookup3.c, whose results are those of `hashlittle2` from (0, 0).
        assert_eq!(jenkins(b""), 0xdead_beef_dead_beef);
        assert_eq!(jenkins(b"Four score and seven years ago"), 0x1777_0551_ce72_26e6);
    }

    #[test]
    fn keyed_hash_is_the_published_one() {
        // The test vectors of the paper: the key is 00 01 .. 0f, the text 00 01 .. 0e.
        let text: Vec<u8> = (0..15).collect();
        assert_eq!(keyed(&text, std::array::from_fn(|index| u8::try_from(index).unwrap())), 0xa129_ca61_49be_45e5);
    }
}
