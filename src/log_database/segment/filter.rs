//! A filter over a segment's blocks: which of them may have a line that contains a needle, found without a look at any.
//!
//! Blocks are their own indexes, but of many blocks even indexes take long to read. So what `log_database::block::Terms` says of each is
//! kept in one place. Each distinct word of all blocks is there once, with the blocks that have it, which are mostly
//! neighbours; and of each block there is a set of marks of its ids. A filter takes a fiftieth of the segment at most. It is
//! made when segments are merged, and taken over for blocks that are copied.
//!
//! ```text
//! filter    := directory words marks*
//! directory := words_bytes: varint | words_len: varint | words_crc: u32 | count: varint
//!            | (offset: varint | is_open: u8 | marks_bytes: varint | marks_crc: u32)*
//! words     := one zstd frame of: text_len: varint | text | blocks*
//! text      := (word newline)*                                   sorted
//! blocks    := count: varint | (gap: varint | length: varint)*   of each word: runs of neighbours, and gaps before them
//! ```
//!
//! Blocks are numbered in the order of the directory, which is that of the file; an `offset` is how far a block is behind the
//! one before. Nothing is known of the lines of a block that `is_open`.

use std::collections::BTreeMap;

use memchr::memmem;

use crate::log_database::block::{Marks, Required, Rows, Terms, Wanted};
use crate::log_database::bytes::{Cursor, put_varint};

/// Most bytes of words, before compression.
const WORDS_LEN_MAX: usize = 16 << 20;
/// A block's marks take at most such a part of it.
const MARKS_SHARE: usize = 64;
/// A block with more bytes of words that no other block has than such a part of it is left open: its words are no words.
const OWN_WORDS_SHARE: usize = 100;
/// And than these: small blocks are all of a stream that there is.
const OWN_WORDS_BYTES: usize = 4 << 10;
/// zstd's level.
const LEVEL: i32 = 3;

/// Most bytes of the marks of a block of so many.
pub(super) fn marks_bytes_max(block_bytes: usize) -> usize {
    block_bytes / MARKS_SHARE
}

/// Neighbouring blocks: the first, and the one after the last.
type Run = (u32, u32);

/// A filter while blocks are added.
#[derive(Debug, Default)]
pub(super) struct Builder {
    words: BTreeMap<Vec<u8>, Vec<Run>>,
    blocks: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    offset: u64,
    bytes: usize,
    is_open: bool,
    marks: Vec<u8>,
}

/// A filter ready to be written.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) directory: Vec<u8>,
    /// What comes after the directory.
    pub(super) rest: Vec<u8>,
}

impl Builder {
    /// Adds a block of so many bytes at `offset`, behind all others; without `terms`, nothing is known of it.
    pub(super) fn add(&mut self, offset: u64, bytes: usize, terms: Option<Terms>) {
        let number = u32::try_from(self.blocks.len()).expect("a file has fewer blocks than bytes");
        let Terms { words, marks, is_open } = terms.unwrap_or(Terms { is_open: true, ..Terms::default() });
        if !is_open {
            for word in words {
                let runs = self.words.entry(word).or_default();
                match runs.last_mut().filter(|(_, end)| *end == number) {
                    Some((_, end)) => *end += 1,
                    None => runs.push((number, number + 1)),
                }
            }
        }
        let marks = if is_open { Vec::new() } else { marks.to_bytes() };
        self.blocks.push(Entry { offset, bytes, is_open, marks });
    }

    /// The filter; `None` where there is nothing to be known.
    pub(super) fn encode(mut self) -> Option<Encoded> {
        self.open_blocks_of_own_words();
        let text_len: usize = self.words.keys().map(|word| word.len() + 1).sum();
        let mut words = Vec::new();
        put_varint(&mut words, text_len as u64);
        for word in self.words.keys() {
            words.extend_from_slice(word);
            words.push(b'\n');
        }
        for runs in self.words.values() {
            put_varint(&mut words, runs.len() as u64);
            let mut next = 0;
            for (first, end) in runs {
                put_varint(&mut words, (first - next).into());
                put_varint(&mut words, (end - first).into());
                next = *end;
            }
        }
        let has_any = self.blocks.iter().any(|block| !block.is_open);
        let stored = zstd::bulk::compress(&words, LEVEL).ok().filter(|_| has_any && words.len() <= WORDS_LEN_MAX)?;
        let mut directory = Vec::new();
        put_varint(&mut directory, stored.len() as u64);
        put_varint(&mut directory, words.len() as u64);
        directory.extend_from_slice(&crc32fast::hash(&stored).to_le_bytes());
        put_varint(&mut directory, self.blocks.len() as u64);
        let mut rest = stored;
        let mut last = 0;
        for block in &self.blocks {
            put_varint(&mut directory, block.offset - last);
            directory.push(u8::from(block.is_open));
            put_varint(&mut directory, block.marks.len() as u64);
            directory.extend_from_slice(&crc32fast::hash(&block.marks).to_le_bytes());
            rest.extend_from_slice(&block.marks);
            last = block.offset;
        }
        Some(Encoded { directory, rest })
    }

    /// Opens blocks with too many words that no other has, and drops those.
    fn open_blocks_of_own_words(&mut self) {
        let mut own_bytes = vec![0; self.blocks.len()];
        let own = |runs: &[Run]| match *runs {
            [(first, end)] if end - first == 1 => Some(first as usize),
            _ => None,
        };
        for (word, runs) in &self.words {
            if let Some(block) = own(runs) {
                own_bytes[block] += word.len() + 1;
            }
        }
        for (block, own_bytes) in self.blocks.iter_mut().zip(&own_bytes) {
            if block.bytes / OWN_WORDS_SHARE + OWN_WORDS_BYTES < *own_bytes {
                block.is_open = true;
                block.marks = Vec::new();
            }
        }
        self.words.retain(|_, runs| own(runs).is_none_or(|block| !self.blocks[block].is_open));
    }
}

/// What a filter says of its parts.
#[derive(Debug)]
pub(super) struct Directory {
    words_bytes: usize,
    words_len: usize,
    words_crc: u32,
    blocks: Vec<Listed>,
}

#[derive(Debug)]
struct Listed {
    offset: u64,
    is_open: bool,
    marks_bytes: usize,
    marks_crc: u32,
}

impl Directory {
    /// Reads a directory whose other parts are `rest_bytes`; `None` where it makes no sense.
    pub(super) fn decode(bytes: &[u8], rest_bytes: usize) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let words_bytes = usize::try_from(cursor.varint()?).ok()?;
        let words_len = usize::try_from(cursor.varint()?).ok().filter(|length| *length <= WORDS_LEN_MAX)?;
        let words_crc = cursor.u32()?;
        let (mut blocks, mut offset, mut used) = (Vec::new(), 0_u64, words_bytes);
        for _ in 0..cursor.count()? {
            offset = offset.checked_add(cursor.varint()?)?;
            let is_open = cursor.u8()? != 0;
            let marks_bytes = usize::try_from(cursor.varint()?).ok()?;
            used = used.checked_add(marks_bytes)?;
            blocks.push(Listed { offset, is_open, marks_bytes, marks_crc: cursor.u32()? });
        }
        (cursor.rest().is_empty() && used == rest_bytes).then_some(Self { words_bytes, words_len, words_crc, blocks })
    }

    /// Where the words are behind the directory.
    pub(super) fn words_bytes(&self) -> usize {
        self.words_bytes
    }

    /// Bytes of all marks, which are behind the words.
    pub(super) fn marks_bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.marks_bytes).sum()
    }

    fn block_count(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Reads the words; `None` where they are not what was written.
    pub(super) fn words(&self, stored: &[u8]) -> Option<Words> {
        if crc32fast::hash(stored) != self.words_crc {
            return None;
        }
        let bytes = zstd::bulk::decompress(stored, self.words_len).ok()?;
        let mut cursor = Cursor::new(&bytes);
        let text = cursor.text()?.to_vec();
        if text.last().is_some_and(|last| *last != b'\n') {
            return None;
        }
        let mut blocks = Vec::new();
        for _ in memchr::memchr_iter(b'\n', &text) {
            let mut runs = Vec::new();
            let mut next = 0_u32;
            for _ in 0..cursor.count()? {
                let first = next.checked_add(u32::try_from(cursor.varint()?).ok()?)?;
                let end = first.checked_add(u32::try_from(cursor.varint()?).ok()?)?;
                if self.block_count() < end {
                    return None;
                }
                runs.push((first, end));
                next = end;
            }
            blocks.push(runs);
        }
        cursor.rest().is_empty().then_some(Words { text, blocks })
    }

    /// Whether nothing is known of any block.
    fn open(&self) -> Rows {
        let mut open = Rows::none(self.block_count());
        (0..).zip(&self.blocks).filter(|(_, block)| block.is_open).for_each(|(number, _)| open.insert(number));
        open
    }

    /// Cuts all marks into those of each block; `None` where they are not what was written.
    fn cut_marks(&self, bytes: &[u8]) -> Option<Vec<Marks>> {
        let mut rest = bytes;
        let marks = self.blocks.iter().map(|block| {
            let of_block = rest.split_off(..block.marks_bytes)?;
            (crc32fast::hash(of_block) == block.marks_crc).then(|| Marks::from_bytes(of_block)).flatten()
        });
        marks.collect()
    }
}

/// All that a filter says, to be taken over for blocks that are copied.
#[derive(Debug)]
pub(super) struct Known {
    directory: Directory,
    words: Words,
    marks: Vec<Marks>,
}

impl Known {
    /// Puts together what was read; `None` where the marks are not what was written.
    pub(super) fn new(directory: Directory, words: Words, marks: &[u8]) -> Option<Self> {
        let marks = directory.cut_marks(marks)?;
        Some(Self { directory, words, marks })
    }

    /// What is known of the block at `offset`.
    pub(super) fn terms_at(&self, offset: u64) -> Option<Terms> {
        let index = self.directory.blocks.binary_search_by_key(&offset, |block| block.offset).ok()?;
        let number = u32::try_from(index).ok()?;
        let has_block = |runs: &[Run]| {
            let after = runs.partition_point(|(first, _)| *first <= number);
            after.checked_sub(1).is_some_and(|run| number < runs[run].1)
        };
        let words = self.words.iter().filter(|(_, runs)| has_block(runs)).map(|(word, _)| word.to_vec());
        let is_open = self.directory.blocks[index].is_open;
        Some(Terms { words: words.collect(), marks: self.marks[index].clone(), is_open })
    }
}

/// The words of all blocks.
#[derive(Debug)]
pub(super) struct Words {
    text: Vec<u8>,
    blocks: Vec<Vec<Run>>,
}

impl Words {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[Run])> {
        let words = self.text.split(|byte| *byte == b'\n');
        words.zip(self.blocks.iter().map(Vec::as_slice))
    }

    /// Adds to `found` the blocks that have a word with `part` in it.
    fn find(&self, part: &[u8], found: &mut Rows) {
        let finder = memmem::Finder::new(part);
        let (mut at, mut number) = (0, 0);
        while let Some(start) = self.text.get(at..).and_then(|rest| finder.find(rest)) {
            let start = at + start;
            number += memchr::memchr_iter(b'\n', &self.text[at..start]).count();
            let runs = self.blocks.get(number).into_iter().flatten();
            runs.flat_map(|(first, end)| *first..*end).for_each(|block| found.insert(block));
            let Some(end) = memchr::memchr(b'\n', &self.text[start..]) else { return };
            (at, number) = (start + end + 1, number + 1);
        }
    }
}

/// Answers which blocks may have what is required; reads marks when they are first needed.
pub(super) struct Sieve<'a> {
    directory: &'a Directory,
    words: Words,
    open: Rows,
    read_marks: &'a mut dyn FnMut() -> Option<Vec<u8>>,
    /// The marks of each block.
    marks: Option<Vec<Marks>>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(
        directory: &'a Directory,
        words: Words,
        read_marks: &'a mut dyn FnMut() -> Option<Vec<u8>>,
    ) -> Self {
        Self { directory, words, open: directory.open(), read_marks, marks: None }
    }

    /// The blocks that may have what is required; `None` where the marks are not what was written.
    pub(super) fn blocks(&mut self, required: &Required) -> Option<Rows> {
        let count = self.directory.block_count();
        Some(match required {
            Required::Nothing => Rows::all(count),
            Required::Terms(wanted) => self.blocks_with(wanted)?,
            Required::All(all) => {
                let mut blocks = Rows::all(count);
                for required in all {
                    if blocks.is_empty() {
                        break;
                    }
                    blocks.intersect(&self.blocks(required)?);
                }
                blocks
            }
            Required::Any(any) => {
                let mut blocks = Rows::none(count);
                for required in any {
                    blocks.unite(&self.blocks(required)?);
                }
                blocks
            }
        })
    }

    fn blocks_with(&mut self, wanted: &Wanted) -> Option<Rows> {
        let mut blocks = Rows::all(self.directory.block_count());
        for word in &wanted.words {
            let mut found = self.open.clone();
            self.words.find(word, &mut found);
            blocks.intersect(&found);
        }
        if wanted.marks.is_empty() || blocks.is_empty() {
            return Some(blocks);
        }
        if self.marks.is_none() {
            self.marks = Some(self.directory.cut_marks(&(self.read_marks)()?)?);
        }
        let marks = self.marks.as_deref().unwrap_or_default();
        for (number, marks) in (0..).zip(marks) {
            if !self.open.contains(number) && !wanted.marks.iter().all(|hash| marks.may_contain(*hash)) {
                blocks.remove(number);
            }
        }
        Some(blocks)
    }
}

/// The blocks of a segment that may have lines of an answer.
#[derive(Debug)]
pub(in crate::log_database) struct Candidates {
    /// Ascending.
    offsets: Vec<u64>,
    blocks: Rows,
}

impl Candidates {
    pub(super) fn new(directory: &Directory, blocks: Rows) -> Self {
        Self { offsets: directory.blocks.iter().map(|block| block.offset).collect(), blocks }
    }

    /// Whether the block at `offset` may; so may one that the filter does not know.
    pub(in crate::log_database) fn contains(&self, offset: u64) -> bool {
        let number = self.offsets.binary_search(&offset).ok().and_then(|number| u32::try_from(number).ok());
        number.is_none_or(|number| self.blocks.contains(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_database::block::{Block, Encoder, Query};
    use crate::model::{LineFilter, Lines, Timestamp};

    /// Lines of a block, of which all words but one are in other blocks as well, and all ids are its own.
    fn lines(number: usize) -> Lines {
        let mut lines = Lines::default();
        for row in 0..300_u32 {
            let id = (1000 * number as u64 + u64::from(row) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let own = if row == 7 { format!(" own{}word", "x".repeat(number)) } else { String::new() };
            let line = format!("common words, half{} id={id:016x}{own}", ["even", "odd"][number % 2]);
            lines.push(Timestamp::from_ns(row.into()), line.as_bytes());
        }
        lines
    }

    /// A directory, its words and its marks, of blocks of 1000 bytes each.
    fn filter(blocks: Vec<Terms>) -> (Directory, Vec<u8>, Vec<u8>) {
        let mut builder = Builder::default();
        for (number, terms) in (0..).zip(blocks) {
            builder.add(1000 * number, 1000, Some(terms));
        }
        let Encoded { directory, rest } = builder.encode().unwrap();
        let directory = Directory::decode(&directory, rest.len()).unwrap();
        let (words, marks) = rest.split_at(directory.words_bytes());
        assert_eq!(marks.len(), directory.marks_bytes());
        (directory, words.to_vec(), marks.to_vec())
    }

    /// Which blocks a filter leaves for a needle.
    fn left(filter: &(Directory, Vec<u8>, Vec<u8>), needle: &str) -> Vec<u32> {
        let (directory, words, marks) = filter;
        let required = Query::new(&[LineFilter::Contains(needle.into())]).required();
        let words = directory.words(words).unwrap();
        let blocks = Sieve::new(directory, words, &mut || Some(marks.clone())).blocks(&required).unwrap();
        blocks.iter().collect()
    }

    fn terms_of(lines: &Lines) -> Terms {
        let block = Encoder::new().unwrap().encode(&[lines]).unwrap();
        Block::open(&block[..]).unwrap().terms(4096).unwrap()
    }

    #[test]
    fn the_blocks_that_are_left_have_the_words_and_most_of_the_others_are_left_out() {
        let blocks: Vec<Terms> = (0..40).map(|number| terms_of(&lines(number))).collect();
        let filter = filter(blocks);
        assert_eq!(left(&filter, "common words"), (0..40).collect::<Vec<_>>());
        assert_eq!(left(&filter, "halfODD"), (0..20).map(|number| 2 * number + 1).collect::<Vec<_>>());
        assert_eq!(left(&filter, "wnxxxword id"), [3]);
        assert_eq!(left(&filter, "common absent"), [0; 0]);
        assert_eq!(left(&filter, "4711"), (0..40).collect::<Vec<_>>(), "too short to be known");
        for number in [0, 17, 39] {
            let lines = lines(number);
            let id = std::str::from_utf8(lines.get(200).1).unwrap().rsplit_once('=').unwrap().1;
            let found = left(&filter, &id[1..]);
            assert!(found.contains(&u32::try_from(number).unwrap()) && found.len() < 6, "{id}: {found:?}");
        }
    }

    #[test]
    fn what_is_known_of_a_block_is_taken_over() {
        let blocks: Vec<Terms> = (0..9).map(|number| terms_of(&lines(number))).collect();
        let (directory, words, marks) = filter(blocks.clone());
        let words = directory.words(&words).unwrap();
        let known = Known::new(directory, words, &marks).unwrap();
        for (number, terms) in (0..).zip(&blocks) {
            assert_eq!(known.terms_at(1000 * number).as_ref(), Some(terms));
        }
        assert_eq!(known.terms_at(5), None);
    }

    #[test]
    fn a_block_of_nothing_but_its_own_words_is_left_open() {
        let mut blocks: Vec<Terms> = (0..9).map(|number| terms_of(&lines(number))).collect();
        blocks[4].words.extend((0..2000_usize).map(|number| vec![b'q'; 1 + number]));
        assert_eq!(left(&filter(blocks), "absent"), [4]);
    }

    #[test]
    fn damage_is_noticed() {
        let (directory, words, marks) = filter((0..9).map(|number| terms_of(&lines(number))).collect());
        let flipped = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 4;
            bytes
        };
        assert!((0..words.len()).all(|at| directory.words(&flipped(&words, at)).is_none()));
        assert!((0..marks.len()).all(|at| directory.cut_marks(&flipped(&marks, at)).is_none()));
        assert!(Directory::decode(&[], 0).is_none() && Directory::decode(&[0xff; 40], 40).is_none());
    }
}
