//! What clients compress, made larger again within bounds: a length that is declared is never believed.

use std::io::Read;

use crate::api::loki::push::entries::Fault;
use crate::model::budget::Share;

/// Most bytes that a body may have once it is decompressed.
pub(super) const DECODED_BYTES_MAX: usize = 64 << 20;
/// Bytes of it that are made at a time.
const STEP_BYTES: usize = 256 << 10;
/// Most times that gzip may shrink a body, where it is longer than [`UNSUSPICIOUS_BYTES`]. Logs seldom shrink thirtyfold.
const GZIP_RATIO_MAX: usize = 200;
/// A body that is no longer than this may be compressed as well as it likes.
const UNSUSPICIOUS_BYTES: usize = 1 << 20;
/// Most times that snappy can shrink anything: three bytes stand for at most 64.
const SNAPPY_RATIO_MAX: usize = 22;

/// Decompresses gzip, step by step: each takes its memory from `share` before.
#[expect(clippy::disallowed_methods, reason = "what is read is bounded before")]
pub(super) fn gunzip(body: &[u8], share: &mut Share) -> Result<Vec<u8>, Fault> {
    let bytes_max = body.len().saturating_mul(GZIP_RATIO_MAX).clamp(UNSUSPICIOUS_BYTES, DECODED_BYTES_MAX);
    let mut unpacker = flate2::read::MultiGzDecoder::new(body);
    let mut decoded = Vec::new();
    loop {
        share.take(STEP_BYTES)?;
        let step = unpacker.by_ref().take(STEP_BYTES as u64).read_to_end(&mut decoded);
        let count = step.map_err(|error| Fault::Malformed(format!("gzip: {error}")))?;
        if bytes_max < decoded.len() {
            return Err(too_large());
        }
        if count < STEP_BYTES {
            return Ok(decoded);
        }
    }
}

/// Decompresses a block of snappy, whose memory is taken from `share`.
pub(super) fn unsnap(body: &[u8], share: &mut Share) -> Result<Vec<u8>, Fault> {
    let malformed = |error: snap::Error| Fault::Malformed(format!("snappy: {error}"));
    let declared_bytes = snap::raw::decompress_len(body).map_err(malformed)?;
    if DECODED_BYTES_MAX < declared_bytes {
        return Err(too_large());
    }
    if body.len().saturating_mul(SNAPPY_RATIO_MAX) < declared_bytes {
        return Err(Fault::Malformed(format!("snappy: {} bytes are no {declared_bytes}", body.len())));
    }
    share.take(declared_bytes)?;
    snap::raw::Decoder::new().decompress_vec(body).map_err(malformed)
}

fn too_large() -> Fault {
    Fault::TooLarge(format!(
        "the body is over {DECODED_BYTES_MAX} bytes or unlikely well compressed; send less at once"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::model::budget::{Budget, Refusal};

    fn gunzip(body: &[u8]) -> Result<Vec<u8>, Fault> {
        super::gunzip(body, &mut Share::of(Arc::new(Budget::new(usize::MAX))))
    }

    fn unsnap(body: &[u8]) -> Result<Vec<u8>, Fault> {
        super::unsnap(body, &mut Share::of(Arc::new(Budget::new(usize::MAX))))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let text = b"the same, the same, the same, the same".repeat(20);
        assert_eq!(gunzip(&gzip(&text)).unwrap(), text);
        assert_eq!(unsnap(&snap::raw::Encoder::new().compress_vec(&text).unwrap()).unwrap(), text);
    }

    #[test]
    fn bombs_are_refused() {
        let bomb = gzip(&vec![0; DECODED_BYTES_MAX + 1]);
        assert!(bomb.len() < DECODED_BYTES_MAX / 500);
        assert!(matches!(gunzip(&bomb), Err(Fault::TooLarge(_))));
        assert!(gunzip(&gzip(&vec![0; UNSUSPICIOUS_BYTES])).is_ok());
        assert!(matches!(gunzip(&gzip(&vec![0; 2 * UNSUSPICIOUS_BYTES])), Err(Fault::TooLarge(_))));
    }

    #[test]
    fn what_is_decoded_takes_its_memory_before() {
        let text = vec![b'x'; 4 * STEP_BYTES];
        let pool = Arc::new(Budget::new(3 * STEP_BYTES));
        let share = |bytes_max| Share::of(Arc::new(Budget::within(Arc::clone(&pool), bytes_max)));
        for bytes_max in [3 * STEP_BYTES, 9 * STEP_BYTES] {
            let is_its_own = bytes_max == pool.bytes_max();
            let snapped = snap::raw::Encoder::new().compress_vec(&text).unwrap();
            let refused = super::unsnap(&snapped, &mut share(bytes_max));
            for refused in [super::gunzip(&gzip(&text), &mut share(bytes_max)), refused] {
                match refused {
                    Err(Fault::TooLarge(_)) => assert!(is_its_own),
                    Err(Fault::NoRoom(Refusal::TooMuchTogether { .. })) => assert!(!is_its_own),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(pool.taken_bytes(), 0);
    }

    #[test]
    fn a_declared_length_is_not_believed() {
        // As a varint: 64 MiB, and a byte more.
        assert!(matches!(unsnap(&[0x80, 0x80, 0x80, 0x20]), Err(Fault::Malformed(_))));
        assert!(matches!(unsnap(&[0x81, 0x80, 0x80, 0x20]), Err(Fault::TooLarge(_))));
        assert!(matches!(unsnap(&[]), Err(Fault::Malformed(_))));
        assert!(matches!(gunzip(b"{}"), Err(Fault::Malformed(_))));
    }
}
