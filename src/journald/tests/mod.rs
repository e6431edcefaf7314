//! The reader against systemd's own writer and `journalctl`, and against files that are damaged.

pub(crate) mod writer;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use writer::{Compression, Options, Writer};

/// What a test asks of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    realtime_us: u64,
    monotonic_us: u64,
    boot_id: String,
    fields: Vec<(String, Vec<u8>)>,
}

fn read_all(bytes: &[u8], is_final: bool) -> (Vec<Read>, u64) {
    let mut journal = Journal::open(bytes, Place::default()).unwrap();
    let mut entries = Vec::new();
    let mut damaged_bytes = 0;
    loop {
        let step = journal.advance(is_final).unwrap();
        damaged_bytes += journal.take_damage().map_or(0, |range| range.end - range.start);
        if step == Step::End {
            return (entries, damaged_bytes);
        }
        entries.push(read(&journal.entry()));
    }
}

fn read(entry: &Entry<'_>) -> Read {
    let field = |(name, value): (&[u8], &[u8])| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec());
    let mut fields: Vec<_> = entry.fields().map(field).filter(|(name, _)| name != "_BOOT_ID").collect();
    fields.sort_unstable();
    let boot_id = format!("{:032x}", u128::from_le_bytes(entry.boot_id).swap_bytes());
    Read { realtime_us: entry.realtime_us, monotonic_us: entry.monotonic_us, boot_id, fields }
}

/// Reads journalctl's export format.
fn exported(mut text: &[u8]) -> Vec<Read> {
    fn line<'a>(text: &mut &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr(b'\n', text).unwrap();
        let line = &text[..end];
        *text = &text[end + 1..];
        line
    }
    let mut entries = Vec::new();
    while !text.is_empty() {
        let mut fields = Vec::new();
        loop {
            let first = line(&mut text);
            if first.is_empty() {
                break;
            }
            let (name, value) = if let Some(equals) = memchr::memchr(b'=', first) {
                (&first[..equals], first[equals + 1..].to_vec())
            } else {
                let (length, rest) = text.split_first_chunk().unwrap();
                let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
                text = &rest[length + 1..];
                (first, rest[..length].to_vec())
            };
            fields.push((String::from_utf8(name.to_vec()).unwrap(), value));
        }
        let mut special = BTreeMap::new();
        fields.retain(|(name, value)| {
            let is_special = name.starts_with("__") || name == "_BOOT_ID";
            if is_special {
                special.insert(name.clone(), String::from_utf8(value.clone()).unwrap());
            }
            !is_special
        });
        fields.sort_unstable();
        entries.push(Read {
            realtime_us: special["__REALTIME_TIMESTAMP"].parse().unwrap(),
            monotonic_us: special["__MONOTONIC_TIMESTAMP"].parse().unwrap(),
            boot_id: special["_BOOT_ID"].clone(),
            fields,
        });
    }
    entries
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(bytes).unwrap()
}

macro_rules! sample {
    ($name:literal) => {
        (
            unpacked(include_bytes!(concat!("../../../tests/journald/", $name, ".journal.zst"))),
            exported(&unpacked(include_bytes!(concat!("../../../tests/journald/", $name, ".export.zst")))),
        )
    };
}

#[track_caller]
fn check_sample((bytes, expected): (Vec<u8>, Vec<Read>)) {
    let (entries, damaged_bytes) = read_all(&bytes, true);
    assert_eq!(entries.len(), 80);
    assert_eq!(entries, expected);
    assert_eq!(damaged_bytes, 0);
}

#[test]
fn compact_files_say_what_journalctl_says() {
    check_sample(sample!("compact"));
}

#[test]
fn classic_files_say_what_journalctl_says() {
    check_sample(sample!("classic"));
}

#[test]
fn files_without_keyed_hashes_say_what_journalctl_says() {
    check_sample(sample!("unkeyed"));
}

fn message(number: u64) -> Vec<u8> {
    format!("message {number}, {}", "which is long enough to compress ".repeat(4)).into_bytes()
}

fn append(writer: &mut Writer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let unit = format!("unit-{}.service", number % 3);
        let fields: [(&str, &[u8]); 3] =
            [("_SYSTEMD_UNIT", unit.as_bytes()), ("PRIORITY", b"6"), ("MESSAGE", &message(number))];
        writer.append(1_700_000_000_000_000 + number, &fields);
    }
}

fn written(options: Options, count: u64) -> Writer {
    let mut writer = Writer::new(options);
    append(&mut writer, 0..count);
    writer
}

fn messages(entries: &[Read]) -> Vec<Vec<u8>> {
    let message =
        |entry: &Read| entry.fields.iter().find(|(name, _)| name == "MESSAGE").map(|(_, value)| value.clone());
    entries.iter().filter_map(message).collect()
}

#[test]
fn every_compression_is_read() {
    for compression in [Compression::None, Compression::Xz, Compression::Lz4, Compression::Zstd] {
        for is_compact in [false, true] {
            let writer = written(Options { is_compact, compression, ..Options::default() }, 50);
            let (entries, damaged_bytes) = read_all(&writer.bytes, true);
            assert_eq!(messages(&entries), (0..50).map(message).collect::<Vec<_>>(), "{compression:?} {is_compact}");
            assert_eq!(damaged_bytes, 0);
        }
    }
}

#[test]
fn a_field_that_says_it_is_huge_is_not_made_room_for() {
    let mut writer = written(Options { compression: Compression::Lz4, ..Options::default() }, 3);
    let huge = (FIELD_BYTES_MAX as u64 + 1).to_le_bytes();
    // The length of the second message as it is when decompressed.
    let length = (b"MESSAGE=".len() + message(1).len()) as u64;
    let at = writer.bytes.windows(8).enumerate().filter(|(_, bytes)| *bytes == length.to_le_bytes()).nth(1).unwrap().0;
    writer.bytes[at..at + 8].copy_from_slice(&huge);
    let (entries, _) = read_all(&writer.bytes, true);
    assert_eq!(messages(&entries), [message(0), message(2)]);
}

/// A file that grows between reads: what is read at the end of each.
#[test]
fn a_file_is_followed_as_it_grows() {
    let mut writer = Writer::new(Options::default());
    let mut place = Place::default();
    let mut entries = Vec::new();
    for number in 0..40 {
        append(&mut writer, number..number + 1);
        let mut journal = Journal::open(writer.bytes.as_slice(), place).unwrap();
        while journal.advance(false).unwrap() == Step::Entry {
            entries.push(read(&journal.entry()));
        }
        place = journal.place();
        assert_eq!(place.ordinal, number + 1);
    }
    assert_eq!(messages(&entries), (0..40).map(message).collect::<Vec<_>>());
}

/// Bytes that change under the reader, as a file's do.
struct Shared<'a>(&'a std::cell::RefCell<Vec<u8>>);

impl ReadAt for Shared<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.borrow().as_slice().read_at(buffer, offset)
    }

    fn size_bytes(&self) -> std::io::Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }
}

#[test]
fn an_entry_that_is_being_written_is_waited_for() {
    let before = written(Options::default(), 5);
    let after = written(Options::default(), 9);
    // All states of the file between the two, byte by byte: what is appended first, what is changed in it then.
    let mut states = vec![before.bytes.clone()];
    let mut state = before.bytes.clone();
    state.resize(after.bytes.len(), 0);
    for at in (before.bytes.len()..after.bytes.len()).chain(0..before.bytes.len()) {
        if state[at] != after.bytes[at] {
            state[at] = after.bytes[at];
            states.push(state.clone());
        }
    }
    let bytes = std::cell::RefCell::new(Vec::new());
    let mut journal = None;
    let mut entries = Vec::new();
    for state in states {
        *bytes.borrow_mut() = state;
        let journal = journal.get_or_insert_with(|| Journal::open(Shared(&bytes), Place::default()).unwrap());
        while journal.advance(false).unwrap() == Step::Entry {
            entries.push(read(&journal.entry()));
        }
        assert!(entries.len() <= 9 && messages(&entries) == (0..entries.len() as u64).map(message).collect::<Vec<_>>());
    }
    assert_eq!(entries.len(), 9);
}

#[test]
fn noise_in_the_middle_costs_what_it_covers() {
    for is_compact in [false, true] {
        let mut writer = written(Options { is_compact, ..Options::default() }, 2000);
        let (start, end) = (writer.bytes.len() / 2, writer.bytes.len() / 2 + 20_000);
        let mut noise = 1_u32;
        for byte in &mut writer.bytes[start..end] {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = noise.to_le_bytes()[3];
        }
        let (entries, damaged_bytes) = read_all(&writer.bytes, true);
        let found = messages(&entries);
        let lost_count = 2000 - found.len();
        assert!((30..=90).contains(&lost_count), "{lost_count}");
        assert!((15_000..40_000).contains(&damaged_bytes), "{damaged_bytes}");
        let expected = (0..2000).map(message).filter(|message| found.contains(message)).collect::<Vec<_>>();
        assert_eq!(found, expected, "in their order, none twice");
        assert_eq!((&found[0], &found[found.len() - 1]), (&message(0), &message(1999)));
    }
}

#[test]
fn what_somebody_logged_is_no_entry() {
    // The object of an entry, within a message at a place where objects may begin.
    let mut writer = written(Options::default(), 1);
    let forged = {
        let copy = written(Options::default(), 1);
        let entry = copy.bytes.chunks(8).position(|bytes| bytes == [3, 0, 0, 0, 0, 0, 0, 0]).unwrap() * 8;
        copy.bytes[entry..entry + 64 + 12].to_vec()
    };
    writer.append(1_700_000_000_000_001, &[("MESSAGE", &forged)]);
    let start = writer.bytes.windows(forged.len()).rposition(|bytes| bytes == forged).unwrap();
    let pad = (8 - start % 8) % 8;
    let mut writer = written(Options::default(), 1);
    let padded = [vec![b' '; pad], forged].concat();
    writer.append(1_700_000_000_000_001, &[("MESSAGE", &padded)]);
    append(&mut writer, 2..10);
    // The arrays are damaged.
    writer.bytes[176] ^= 64;
    let (entries, _) = read_all(&writer.bytes, true);
    let expected: Vec<Vec<u8>> =
        (0..10).map(|number| if number == 1 { padded.clone() } else { message(number) }).collect();
    assert_eq!(messages(&entries), expected);
}

#[test]
fn what_is_no_journal_is_refused_with_words() {
    let refused = |bytes: &[u8]| Journal::open(bytes, Place::default()).err().map(|error| error.to_string());
    assert_eq!(refused(b""), Some("it has no header yet".into()));
    assert_eq!(refused(&[0; 4096]), Some("it has no header yet".into()));
    assert!(refused(&[b'x'; 4096]).unwrap().starts_with("it is no journal file"));
    let mut newer = Writer::new(Options::default()).bytes;
    newer[13] = 1;
    assert!(refused(&newer).unwrap().contains("incompatible flags 0x100"));
}

/// Bytes of the header that say how everything else is to be read.
const FORMAT_BYTES: [std::ops::Range<usize>; 2] = [0..16, 88..96];

/// Reads a damaged file, and checks that nothing is made up; how many entries are missing.
#[track_caller]
fn check_damaged(bytes: &[u8], original: &[Read]) -> usize {
    let Ok(mut journal) = Journal::open(bytes, Place::default()) else { return original.len() };
    let mut from = 0;
    let mut missing_count = 0;
    while journal.advance(true).unwrap() == Step::Entry {
        let entry = read(&journal.entry());
        // What no hash covers, its times, may differ; fields may be missing where that is said.
        let is_it = |original: &Read| {
            let is_part = entry.fields.iter().all(|field| original.fields.contains(field));
            let is_all = original.fields.len() <= entry.fields.len() + journal.entry().lost_field_count;
            is_part && is_all
        };
        let place = original[from..].iter().position(is_it);
        let place = place.unwrap_or_else(|| panic!("made up, or out of order: {entry:?}"));
        missing_count += place;
        from += place + 1;
    }
    missing_count + original.len() - from
}

fn small(is_compact: bool, is_keyed: bool) -> (Vec<u8>, Vec<Read>) {
    let mut writer = Writer::new(Options { is_compact, is_keyed, ..Options::default() });
    for number in 0..6 {
        let message = format!("message {number}");
        writer.append(number + 1, &[("PRIORITY", b"6"), ("MESSAGE", message.as_bytes())]);
    }
    let entries = read_all(&writer.bytes, true).0;
    (writer.bytes, entries)
}

#[test]
fn no_flipped_bit_costs_more_than_an_entry() {
    for (is_compact, is_keyed) in [(true, true), (false, true), (false, false)] {
        let (bytes, original) = small(is_compact, is_keyed);
        for bit in (0..bytes.len() * 8).filter(|bit| bit / 8 % 8 == bit % 8 || bytes[bit / 8] != 0) {
            if FORMAT_BYTES.iter().any(|range| range.contains(&(bit / 8))) {
                continue;
            }
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let missing_count = check_damaged(&damaged, &original);
            assert!(missing_count <= 1, "bit {bit} of {}: {missing_count} are missing", bytes.len() * 8);
        }
    }
}

#[test]
fn a_cut_file_is_read_as_far_as_it_goes() {
    for is_compact in [false, true] {
        let (bytes, original) = small(is_compact, true);
        let mut before = original.len();
        for len in (0..bytes.len()).rev() {
            let missing_count = check_damaged(&bytes[..len], &original);
            let count = original.len() - missing_count;
            assert!(count <= before && before - count <= 1, "cut at {len}: {count} after {before}");
            before = count;
        }
        assert_eq!(before, 0);
    }
}

proptest! {
    #[test]
    fn whatever_is_damaged_nothing_is_made_up(
        is_compact: bool,
        flips in prop::collection::vec((16..2000_usize, any::<u8>()), 1..12),
        hole in (16..2000_usize, 0..300_usize),
        cut in 300..3000_usize,
    ) {
        let (mut bytes, original) = small(is_compact, true);
        let len = bytes.len();
        for (at, mask) in flips {
            bytes[at % len] ^= mask;
        }
        let start = hole.0 % len;
        bytes[start..(start + hole.1).min(len)].fill(0);
        bytes.truncate(cut);
        // The file's id is the key of its hashes: another one makes all of them wrong, and it is another file.
        prop_assume!(bytes[..16] == small(is_compact, true).0[..16]);
        check_damaged(&bytes, &original);
    }
}
