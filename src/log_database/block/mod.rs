//! A block: up to a few MiB of one stream's lines, encoded so that its vocabulary is its index.
//!
//! Most of a line repeats. What a line shares with others is its template; what varies are values, and the values of one
//! place in one template are a column, stored in the way that is smallest for it. To search is to look at templates, at
//! dictionaries and at vocabularies of words, which are small, and to read the rest only where they say so. Nothing is
//! stored for search alone, and every answer is exact: see `search.rs`.
//!
//! This module turns lines into bytes and bytes into lines; it does no I/O and knows neither streams nor segments. Blocks
//! come from disk, so nothing in them is believed: checksums come first, and behind them every length, count, id and
//! offset is checked, so that even bytes with right checksums give an [`Error`] or some lines, never a panic, and never an
//! allocation beyond the limits below.
//!
//! # Reading in this order
//!
//! `tokenize` cuts lines, `group` finds templates, `choose` decides how columns are stored, `encode` and `sections` write
//! them; `structure`, `times` and `parts` read them back, `places` and `hex` do both for their columns; `lines` puts lines together,
//! `align`, `words` and `search` find needles, `plan` and `query` turn filters into needles; `automaton` and `walk` match expressions
//! that have none; `terms` lists what a filter over
//! blocks knows of one; `columns` is a block for those who want no lines, `face` what is known of a column at once, and `sums`
//! what is known of bytes without any.
//!
//! # Format, version 5
//!
//! Integers are little-endian; `varint` is LEB128, at most ten bytes; `signed` is a zigzag varint; `bytes` is a varint
//! length and so many bytes. A block ends where its last section ends.
//!
//! ```text
//! block     := header section*
//! header    := magic: "mrb" | version: u8 | table_len: u32 | crc: u32 | table
//! table     := line_count: varint | text_len: varint | first_ns: signed | last_ns: signed | section_count: varint | entry*
//! entry     := stored_len: varint | len: varint | crc: u32
//! ```
//!
//! `crc` of the header is CRC-32/IEEE over magic, version, `table_len` and `table`; `crc` of an entry is over the section as
//! it is stored. A section whose `stored_len` is `len` is stored as it is, any other is one zstd frame. Sections 0 to 6 are
//! always there, the others hold one part of a column each:
//!
//! ```text
//! 0 structure  := templates                      of the lines
//! 1 timestamps := unit: varint | layout planes | (gap: varint | more: signed)*       see `times.rs`
//! 2 values, 3 ids, 4 numbers, 5 text             small parts of columns, in the order of the structure
//! 6 sums       := (unit: varint | first: signed | (gap: varint | bytes: varint)*)?   see `sums.rs`
//!
//! templates := count: varint | ids(count) | template*
//! template  := row_count: varint | slot_count: varint | literal: bytes | (column literal: bytes)*
//! column    := 0 strings                                                       text: a string a row
//!            | 2 limit: varint | strings(limit) ids(limit)                     dictionary: an id a row
//!            | 3 prefix: bytes | suffix: bytes | width: varint | fraction: varint | longest: varint | numbers   decimal
//!            | 4 point: u8 | digits: varint | date_end: u8 | before: bytes | after: bytes | numbers             clock
//!            | 5 templates                                                     values cut once more
//!            | 6 longest: varint | (count: varint | strings(count))*3 places        words, some a row
//!            | 7 is_upper: u8 | run_count: varint | (literal: bytes | digits: varint)* | section: varint   hexadecimal
//! places    := total: varint | limit: varint | frequent_count: varint | ids(frequent_count, limit)
//!                counts(rows) counts(rows) counts(rare words) | group_count: varint | group*
//! group     := word_count: varint | place_count: varint | counts(place_count)
//! strings   := len: varint | longest: varint | classes: varint | section: varint | has_lengths: u8 | numbers?
//! ids       := section: varint
//! counts    := width: varint | section: varint
//! numbers   := layout section: varint
//! layout    := is_delta << 4 | width: u8 | base: signed | least: signed, if is_delta | factor: varint
//! ```
//!
//! - A part is in the section that is named, right behind the parts of that section that come before it in the structure.
//! - `strings` are followed by a newline each; `numbers` give their lengths where newlines are in them. `classes` is the set
//!   of classes (`classes.rs`) of their bytes, `longest` the bytes of the longest.
//! - `ids` are below `limit` (of templates: `count`) and have as many planes as the largest needs. A plane is one byte of
//!   each number, lowest first.
//! - `counts` are planes as well, `width` of them.
//! - `numbers` are `base + factor * plane number`, or with `is_delta` the sums of `least + factor * plane number`, the first
//!   of which is `base`; all wrap around.
//! - Timestamps are numbers of `unit` nanoseconds since the Unix epoch, and a rest: 0 where the number is not that of the line
//!   before, else one more than the rest of that line; and `more` than that in the lines that are listed, each `gap` lines after
//!   the line behind the one before. With a unit of 1 none are listed and there is no rest.
//! - Sums are the bytes of text in each stretch of `unit` nanoseconds that has lines: the first is number `first`, and each is
//!   `gap` after the one behind the one before. Stretch `n` has the instants after `n * unit` up to `(n + 1) * unit`.
//! - A decimal is `prefix`, the number in at least `width` digits with a point before the last `fraction`, `suffix`; at most
//!   `longest` bytes without affixes.
//! - A clock is `before`, `hh:mm:ss`, `point` and fraction of so many digits, `after`. Its number is how far it is ahead of
//!   the entry's own time of day (UTC), in units of the last digit, modulo a day. Where `date_end` is not 0, `YYYY-MM-DD` and
//!   that byte are before `hh:mm:ss`, and nothing is modulo a day. It is a column of the lines' templates only.
//! - Words are one sequence for all rows; one ends where a letter, a digit or a byte past ASCII is before any other. The three
//!   vocabularies together are numbered, and words below `limit` are frequent. `ids` are those of the frequent ones of the
//!   `total`, in order; `counts` are how many of these a row has, how many others, and how often each other word is met.
//!   Those follow one another in groups, whose `counts` are gaps: how many places of the sequence are between two of a word's,
//!   and before its first one, after the first one of the word before in the group.
//! - Hexadecimal values are literals and digits by turns; in the section are only the digits of each row, two a byte, the
//!   first one high, and a last one alone with a zero.
//! - Values are cut at most once more.
//! - Lines that gain nothing from all this are one template of one text column: plain zstd text.
//!
//! Versions 1 to 4 are read as well. They have no `date_end`, and the first three no sums. The timestamps of the first two are `layout planes`, in nanoseconds.
//! Version 1 has a column `1 longest: varint | limit: varint | word_count: varint | strings(limit) ids(word_count, limit)
//! numbers`, words with an id for each and how many each row has, in place of 6, and none of 7. The first three have fewer classes.

mod align;
mod automaton;
mod choose;
mod classes;
mod clock;
mod columns;
mod cost;
mod decimal;
mod encode;
mod face;
mod group;
mod hex;
mod lines;
mod needle;
mod numbers;
mod parts;
mod patterns;
mod places;
mod plan;
mod query;
mod read;
mod rows;
mod search;
mod sections;
mod structure;
mod sums;
mod terms;
mod times;
mod tokenize;
mod values;
mod vocabulary;
mod walk;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use columns::{Codes, Columns, Decimals, Piece, TemplateColumns};
pub use encode::Encoder;
pub use face::Face;
pub use lines::LineReader;
pub use patterns::{PatternFinder, Patterns};
pub use query::{Query, Required};
pub use read::Block;
pub use rows::Rows;
pub use sections::Source;
pub use terms::{Marks, Terms, Wanted};

/// Most lines of a block; rows are counted in 32 bits, and a bit set over them is half a megabyte.
pub const LINES_MAX: u32 = 1 << 22;
/// Most sections of a block: far more than columns of any log that pays for them.
const SECTIONS_MAX: usize = 1 << 16;
/// Most bytes that all sections of a block have together once decompressed. In the worst case every second byte of a text
/// is a value of its own, cut once more, with eight bytes of number each; real logs have less than their text.
const DECODED_BYTES_MAX: usize = 16 * crate::model::LINES_BYTES_MAX;

/// Why a block could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not those that were written. Other blocks are not affected; this one is to be set aside.
    #[error("corrupt block: bad {what} at {offset}")]
    Corrupt {
        /// What makes no sense.
        what: &'static str,
        /// Where: a byte in the block or in the part that is named, the number of a section, or a row.
        offset: usize,
    },
    /// A newer monitoring-rs wrote the block. It is intact: upgrade this one.
    #[error("block is of format {version}, this build reads up to {supported}", supported = sections::VERSION)]
    UnsupportedVersion {
        /// The block's version.
        version: u8,
    },
    /// The block's [`Source`] could not be read; says why.
    #[error("failed to read a block: {0}")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// zstd could not compress or has no memory.
    #[error("failed to compress a block: {0}")]
    Compress(#[source] std::io::Error),
}
