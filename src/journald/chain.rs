//! The entries of a file as its entry arrays list them.

use std::io;

use super::ReadAt;
use super::layout::{ARRAY_HEADER_BYTES, Header, OBJECT_HEADER_BYTES, ObjectHeader, Type, u64_at};
use super::windows::Windows;

/// A place in the arrays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// Where the array is.
    array: u64,
    /// How many entries it has room for.
    capacity: u64,
    /// How many of them were passed.
    index: u64,
}

/// What the arrays say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed<T> {
    Entry(T),
    /// There is no more, as yet.
    Nothing,
    Damage,
}

impl Chain {
    /// The place after `ordinal` entries.
    pub(super) fn at<B: ReadAt>(windows: &mut Windows<B>, header: &Header, ordinal: u64) -> io::Result<Listed<Self>> {
        let mut next = header.first_array;
        let mut passed = 0;
        let mut before = 0;
        loop {
            let array = match read_array(windows, header, before, next)? {
                Listed::Entry(array) => array,
                Listed::Nothing => return Ok(Listed::Nothing),
                Listed::Damage => return Ok(Listed::Damage),
            };
            // The next array may not be there yet.
            if ordinal - passed <= array.capacity {
                return Ok(Listed::Entry(Self { array: next, capacity: array.capacity, index: ordinal - passed }));
            }
            if array.next != 0 && !is_followed(windows, next, array.object)? {
                return Ok(Listed::Damage);
            }
            passed += array.capacity;
            (before, next) = (next, array.next);
        }
    }

    /// The offset of the next entry.
    pub(super) fn next<B: ReadAt>(&mut self, windows: &mut Windows<B>, header: &Header) -> io::Result<Listed<u64>> {
        if self.index == self.capacity {
            let Some(head) = windows.get(self.array, ARRAY_HEADER_BYTES)? else { return Ok(Listed::Damage) };
            let (object, next) = (ObjectHeader::decode(head), u64_at(head, 16));
            if next != 0 && !is_followed(windows, self.array, object)? {
                return Ok(Listed::Damage);
            }
            match read_array(windows, header, self.array, next)? {
                Listed::Entry(array) => *self = Self { array: next, capacity: array.capacity, index: 0 },
                Listed::Nothing => return Ok(Listed::Nothing),
                Listed::Damage => return Ok(Listed::Damage),
            }
        }
        let item_bytes = header.array_item_bytes();
        let offset = self.array + ARRAY_HEADER_BYTES as u64 + self.index * item_bytes as u64;
        let Some(item) = windows.get(offset, item_bytes)? else { return Ok(Listed::Damage) };
        let entry = header.offset_at(item, 0);
        if entry == 0 {
            return Ok(Listed::Nothing);
        }
        if self.index + 1 < self.capacity {
            // An offset that is damaged may lead to an entry further on: the one after it tells.
            let Some(item) = windows.get(offset + item_bytes as u64, item_bytes)? else { return Ok(Listed::Damage) };
            let following = header.offset_at(item, 0);
            if following != 0 && following <= entry {
                return Ok(Listed::Damage);
            }
        }
        Ok(Listed::Entry(entry))
    }

    /// Passes the entry.
    pub(super) fn pass(&mut self) {
        self.index += 1;
    }
}

struct Array {
    object: ObjectHeader,
    capacity: u64,
    next: u64,
}

/// Whether something follows the array at `offset`, as it does where there is another: if it is said to be shorter than it is,
/// what follows is the rest of it.
fn is_followed<B: ReadAt>(windows: &mut Windows<B>, offset: u64, array: ObjectHeader) -> io::Result<bool> {
    let Some(end) = array.end(offset) else { return Ok(false) };
    let head = windows.get(end, OBJECT_HEADER_BYTES)?.map(ObjectHeader::decode);
    Ok(head.is_some_and(|head| !matches!(head.kind, Type::Nothing | Type::Unknown)))
}

/// The array at `offset`, which lies after the one `before`, so that following arrays ends.
fn read_array<B: ReadAt>(
    windows: &mut Windows<B>,
    header: &Header,
    before: u64,
    offset: u64,
) -> io::Result<Listed<Array>> {
    if offset == 0 {
        return Ok(Listed::Nothing);
    }
    if !header.is_place(offset) || offset <= before {
        return Ok(Listed::Damage);
    }
    let Some(head) = windows.get(offset, ARRAY_HEADER_BYTES)? else { return Ok(Listed::Damage) };
    let object = ObjectHeader::decode(head);
    let next = u64_at(head, 16);
    let items_bytes = object.size.checked_sub(ARRAY_HEADER_BYTES as u64).filter(|bytes| 0 < *bytes);
    let (Type::EntryArray, Some(bytes), Some(_)) = (object.kind, items_bytes, object.end(offset)) else {
        return Ok(Listed::Damage);
    };
    let item_bytes = header.array_item_bytes() as u64;
    if !bytes.is_multiple_of(item_bytes) {
        return Ok(Listed::Damage);
    }
    Ok(Listed::Entry(Array { object, capacity: bytes / item_bytes, next }))
}
