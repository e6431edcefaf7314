//! Any bytes as a journal file of systemd. Never a panic, and an end; and whoever goes on in the middle reads the rest.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use monitoring_rs::journald::{Journal, Place, Step};
use monitoring_rs_fuzz::plant;

/// How many entries a seed has.
const ENTRIES: usize = 6;

fuzz_target!(
    init: plant("journald_read", seeds()),
    |bytes: &[u8]| {
        for is_final in [false, true] {
            let places = read(bytes, Place::default(), is_final);
            for (index, place) in places.iter().enumerate().step_by(1 + places.len() / 4) {
                assert_eq!(places[index + 1..], read(bytes, *place, is_final));
            }
        }
    }
);

/// The place after each entry from `place` on.
fn read(bytes: &[u8], place: Place, is_final: bool) -> Vec<Place> {
    let Ok(mut journal) = Journal::open(bytes, place) else { return Vec::new() };
    let mut places = Vec::new();
    let mut before = place.offset;
    while journal.advance(is_final).expect("bytes in memory are read") == Step::Entry {
        assert!(before < journal.place().offset, "what is read goes on");
        before = journal.place().offset;
        assert!(journal.entry().fields().all(|(name, _)| !name.is_empty()));
        places.push(journal.place());
    }
    let _ = journal.end();
    places
}

/// The first entries of files that systemd wrote, without their hash tables, which are long and which nobody asks.
fn seeds() -> Vec<Vec<u8>> {
    let samples: [&[u8]; 3] = [
        include_bytes!("../../../tests/journald/compact.journal.zst"),
        include_bytes!("../../../tests/journald/classic.journal.zst"),
        include_bytes!("../../../tests/journald/unkeyed.journal.zst"),
    ];
    samples.into_iter().map(|sample| seed(&zstd::decode_all(sample).expect("it was compressed"))).collect()
}

fn seed(sample: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(sample[at..at + 8].try_into().expect("eight bytes"));
    let place = |offset: u64| usize::try_from(offset).expect("a short file");
    let is_compact = sample[12] & 16 != 0;
    let item_bytes = if is_compact { 4 } else { 16 };
    let mut seed = sample[..place(number(88))].to_vec();
    let (mut entries, mut data_places) = (Vec::new(), HashMap::new());
    let mut journal = Journal::open(sample, Place::default()).expect("systemd wrote it");
    while entries.len() < ENTRIES && journal.advance(true).expect("bytes in memory are read") == Step::Entry {
        let data: Vec<usize> = journal.entry().offsets().map(place).collect();
        let entry_bytes = 64 + data.len() * item_bytes;
        let entry = place(journal.place().offset) - entry_bytes.next_multiple_of(8);
        let mut moved = Vec::new();
        for at in data {
            // What entries share, they go on sharing.
            moved.push(
                *data_places.entry(at).or_insert_with(|| push(&mut seed, &sample[at..at + place(number(at + 8))])),
            );
        }
        let mut object = sample[entry..entry + entry_bytes].to_vec();
        for (item, offset) in object[64..].chunks_exact_mut(item_bytes).zip(moved) {
            let bytes = item.len().min(8);
            item[..bytes].copy_from_slice(&offset.to_le_bytes()[..bytes]);
        }
        entries.push(push(&mut seed, &object));
    }
    let bytes = if is_compact { 4 } else { 8 };
    let mut array = vec![0; 24];
    array[0] = 6;
    array[8..16].copy_from_slice(&((24 + entries.len() * bytes) as u64).to_le_bytes());
    array.extend(entries.iter().flat_map(|offset| offset.to_le_bytes()[..bytes].to_vec()));
    let array = push(&mut seed, &array);
    for (at, value) in [(136, array), (152, entries.len() as u64), (176, array)] {
        seed[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    assert_eq!(read(&seed, Place::default(), true).len(), ENTRIES, "a seed is a journal file");
    seed
}

/// Appends an object, and returns where it is.
fn push(file: &mut Vec<u8>, object: &[u8]) -> u64 {
    file.resize(file.len().next_multiple_of(8), 0);
    let offset = file.len() as u64;
    file.extend_from_slice(object);
    offset
}
