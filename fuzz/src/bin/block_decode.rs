//! Any bytes as a block: opened, decoded, searched. Never a panic; and what decodes in full is searched without a lie.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_database::block::{Block, Encoder, Error, Query};
use monitoring_rs::model::{TimeRange, Timestamp};
use monitoring_rs_fuzz::{FILTERS, logs, plant};

fuzz_target!(
    init: plant("block_decode", seeds()),
    |bytes: &[u8]| {
        let _ = check(bytes);
    }
);

fn check(bytes: &[u8]) -> Result<(), Error> {
    let block = Block::open(bytes)?;
    // More lines than a mutated length makes up at no cost: a run would take seconds and show nothing new.
    if 1 << 16 < block.line_count() {
        return Ok(());
    }
    let range = TimeRange { start: Timestamp::from_ns(1), end: Timestamp::MAX };
    for filters in FILTERS.iter() {
        let rows = block.select(&Query::new(filters), range)?;
        assert_eq!(block.count(&Query::new(filters), range)?, rows.count());
        let mut reader = block.lines()?;
        let mut line = Vec::new();
        for row in rows.iter() {
            line.clear();
            reader.append(row, &mut line)?;
        }
    }
    block.decode()?;
    Ok(())
}

/// Blocks of logs, each as it is written and with its sections laid open.
fn seeds() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new().expect("zstd has memory");
    let blocks = logs(40).into_iter().map(|lines| encoder.encode(&[&lines]).expect("logs are encoded"));
    blocks.flat_map(|block| [decompressed(&block), block]).collect()
}

/// The block with all sections stored as they are: see the format in `log_database::block`.
fn decompressed(block: &[u8]) -> Vec<u8> {
    let mut rest = &block[12..];
    let summary: Vec<u64> = (0..4).map(|_| varint(&mut rest)).collect();
    let count = varint(&mut rest);
    let mut entries = Vec::new();
    for _ in 0..count {
        let (stored, length) = (varint(&mut rest), varint(&mut rest));
        rest = &rest[4..];
        entries.push((usize::try_from(stored).expect("short"), usize::try_from(length).expect("short")));
    }
    let (mut table, mut body) = (Vec::new(), Vec::new());
    summary.into_iter().chain([count]).for_each(|value| put_varint(&mut table, value));
    for (stored, length) in entries {
        let section = &rest[..stored];
        rest = &rest[stored..];
        put_varint(&mut table, length as u64);
        put_varint(&mut table, length as u64);
        table.extend_from_slice(&[0; 4]);
        if stored == length {
            body.extend_from_slice(section);
        } else {
            body.extend(zstd::bulk::decompress(section, length).expect("the encoder compressed it"));
        }
    }
    let length = u32::try_from(table.len()).expect("short");
    [&block[..4], &length.to_le_bytes(), &[0; 4], &table, &body].concat()
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
